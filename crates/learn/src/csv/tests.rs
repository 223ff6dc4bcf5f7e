use super::*;

fn classes() -> CsvOptions {
    CsvOptions {
        label: "y".into(),
        target: Target::Classification(vec!["no".into(), "yes".into()]),
        features: None,
        scales: BTreeMap::new(),
    }
}

fn numbers() -> CsvOptions {
    CsvOptions {
        target: Target::Regression,
        ..classes()
    }
}

fn parsed(text: &str, options: &CsvOptions) -> Result<Table, CsvError> {
    parse(Path::new("mine.csv"), text.as_bytes(), options)
}

fn refused(text: &str, options: &CsvOptions) -> String {
    parsed(text, options).unwrap_err().to_string()
}

#[test]
fn reads_classes_by_the_configured_list() {
    // "no" comes second in the file and first in the list.
    let table = parsed("\u{feff}a, y ,b\n1,yes,-2.5\n3e1, no ,\"4\"\r\n", &classes()).unwrap();
    assert_eq!(table.columns, ["a", "b"]);
    assert_eq!(table.data.features(), [1.0, -2.5, 30.0, 4.0]);
    assert_eq!(
        table.data.labels(),
        &Labels::Class {
            values: vec![1, 0],
            classes: 2
        }
    );
}

#[test]
fn configured_order_and_public_scales() {
    let mut options = numbers();
    options.features = Some(vec!["b".into(), "a".into()]);
    options.scales.insert(
        "b".into(),
        Scale {
            centre: 10.0,
            scale: 4.0,
        },
    );
    options.scales.insert(
        "y".into(),
        Scale {
            centre: 0.0,
            scale: 100.0,
        },
    );
    let table = parsed("a,b,name,y\n1,12,anna,250\n", &options).unwrap();
    assert_eq!(table.columns, ["b", "a"]);
    assert_eq!(table.data.features(), [0.5, 1.0]);
    assert_eq!(table.data.labels(), &Labels::Real(vec![2.5]));
}

#[test]
fn cells_are_refused_with_their_place() {
    let place = |line: u64, column: &str| format!("mine.csv, line {line}, column {column:?}: ");
    let options = classes();
    assert_eq!(
        refused("a,b,y\n1,2,yes\n1,,no\n", &options),
        place(3, "b") + "empty cell"
    );
    assert_eq!(
        refused("a,b,y\n1,  ,no\n", &options),
        place(2, "b") + "empty cell"
    );
    assert_eq!(
        refused("a,b,y\n1,secret,no\n", &options),
        place(2, "b") + "not a number"
    );
    for bad in ["NaN", "inf", "-inf", "1e39"] {
        assert_eq!(
            refused(&format!("a,b,y\n{bad},1,no\n"), &options),
            place(2, "a") + "not finite"
        );
        assert_eq!(
            refused(&format!("a,y\n1,{bad}\n"), &numbers()),
            place(2, "y") + "not finite"
        );
    }
    let unknown = refused("a,y\n1,perhaps\n", &options);
    assert!(unknown.starts_with(&place(2, "y")) && !unknown.contains("perhaps"));
    assert_eq!(refused("a,y\n1,\n", &options), place(2, "y") + "empty cell");
}

#[test]
fn shapes_are_refused() {
    let options = classes();
    assert!(matches!(parsed("", &options), Err(CsvError::NoHeader(_))));
    assert!(matches!(parsed("a,y\n", &options), Err(CsvError::NoRows(_))));
    assert!(matches!(
        parsed("a,a,y\n1,2,no\n", &options),
        Err(CsvError::HeaderCell { number: 2, .. })
    ));
    assert!(matches!(
        parsed("a,,y\n1,2,no\n", &options),
        Err(CsvError::HeaderCell { number: 2, .. })
    ));
    assert!(
        matches!(parsed("a,b\n1,2\n", &options), Err(CsvError::MissingColumn { column, .. }) if column == "y")
    );
    assert!(matches!(
        parsed("y\nno\n", &options),
        Err(CsvError::Columns { columns: 0, .. })
    ));
    assert!(matches!(
        parsed("a,y\n1,no\n1,2,no\n", &options),
        Err(CsvError::Width {
            line: 3,
            found: 3,
            expected: 2,
            ..
        })
    ));
    let latin = parse(Path::new("mine.csv"), &b"a,y\n1,no\n\xe9,no\n"[..], &options);
    assert!(
        matches!(latin, Err(CsvError::Malformed { line: 3, .. })),
        "{latin:?}"
    );
}

#[test]
fn configurations_are_refused() {
    let text = "a,b,y\n1,2,no\n";
    let with_features = |names: &[&str]| CsvOptions {
        features: Some(names.iter().map(|&name| name.to_owned()).collect()),
        ..classes()
    };
    assert!(
        matches!(parsed(text, &with_features(&["a", "a"])), Err(CsvError::Features(name)) if name == "a")
    );
    assert!(
        matches!(parsed(text, &with_features(&["a", "y"])), Err(CsvError::Features(name)) if name == "y")
    );
    assert!(matches!(
        parsed(text, &with_features(&["c"])),
        Err(CsvError::MissingColumn { .. })
    ));
    for (name, scale) in [("a", 0.0), ("a", f32::NAN), ("a", -1.0), ("c", 1.0), ("y", 1.0)] {
        let mut options = classes();
        options.scales.insert(name.into(), Scale { centre: 0.0, scale });
        assert!(
            matches!(parsed(text, &options), Err(CsvError::Scale(_))),
            "{name} {scale}"
        );
    }
    for list in [vec!["no"], vec!["no", "no"], vec!["no", ""]] {
        let options = CsvOptions {
            target: Target::Classification(list.into_iter().map(str::to_owned).collect()),
            ..classes()
        };
        assert!(matches!(parsed(text, &options), Err(CsvError::Classes)));
    }
}

#[test]
fn reads_from_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("d.csv");
    std::fs::write(&path, "a,y\n1,no\n2,yes\n").unwrap();
    assert_eq!(read(&path, &classes()).unwrap().data.rows(), 2);
    assert!(matches!(
        read(&folder.path().join("absent.csv"), &classes()),
        Err(CsvError::Io { .. })
    ));
}

#[test]
fn options_from_toml() {
    let text = r#"
        label = "y"
        target = { classification = ["no", "yes"] }
        scales = { a = { centre = 1.0, scale = 2.0 }, b = { scale = 16 } }
    "#;
    let options: CsvOptions = toml::from_str(text).unwrap();
    assert_eq!(options.target, classes().target);
    assert_eq!(
        options.scales["b"],
        Scale {
            centre: 0.0,
            scale: 16.0
        }
    );
    let regression: CsvOptions = toml::from_str("label = 'y'\ntarget = 'regression'").unwrap();
    assert_eq!(regression, numbers());
    // A misspelt key must not be ignored: clients would disagree silently.
    assert!(toml::from_str::<CsvOptions>("label = 'y'\ntarget = 'regression'\nscale = {}").is_err());
}

const DAMAGE: &[u8] = b"\",\n\r \xff\x00-e9y";

#[test]
fn damaged_text_never_panics() {
    let valid = b"a,b,y\n1,2.5,yes\n\"3\",4,no\n";
    let mut rng = crate::shuffle::generator("tacita/test", 3);
    for _ in 0..2_000 {
        let mut bytes = valid.to_vec();
        for _ in 0..3 {
            let at = crate::shuffle::below(&mut rng, bytes.len());
            bytes[at] = DAMAGE[crate::shuffle::below(&mut rng, DAMAGE.len())];
        }
        if let Ok(table) = parse(Path::new("mine.csv"), &bytes[..], &classes()) {
            assert!(table.data.features().iter().all(|value| value.is_finite()));
        }
    }
}
