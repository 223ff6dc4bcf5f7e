use super::*;

#[test]
fn the_template_is_a_valid_configuration() {
    let config: ServerConfig = toml::from_str(ServerConfig::template()).unwrap();
    let checked = config.check(Path::new("server.toml")).unwrap();
    assert!(checked.plan.noise_multiplier() > 0.5);
    let typo = ServerConfig::template().replace("colluders", "coluders");
    assert!(
        toml::from_str::<ServerConfig>(&typo)
            .unwrap_err()
            .to_string()
            .contains("coluders")
    );
}

#[test]
fn a_cohort_that_cannot_agree_is_refused() {
    let mut config: ServerConfig = toml::from_str(ServerConfig::template()).unwrap();
    config.cohort.minimum_survivors = 2;
    config.cohort.clients = 10;
    assert!(matches!(
        config.check(Path::new("x")),
        Err(ConfigError::Cohort { .. })
    ));
}

/// The example of the record unit, changed.
fn records(from: &str, to: &str) -> Result<Checked, String> {
    let text = ServerConfig::record_template();
    assert!(text.contains(from), "{from}");
    let config: ServerConfig = toml::from_str(&text.replace(from, to)).map_err(|e| e.to_string())?;
    config.check(Path::new("server.toml")).map_err(|e| e.to_string())
}

/// Failure: the example of the record unit is none, or a plan for records forgets what their terms say.
#[test]
fn the_example_of_the_record_unit_is_a_valid_configuration() {
    let checked = records("", "").unwrap();
    let terms = checked.plan.request().records.unwrap();
    assert_eq!(
        (terms.sampling().to_string(), terms.largest()),
        ("0.2".to_owned(), 96)
    );
    let release = checked.plan.release().unwrap();
    assert_eq!(release.sampling(), Some(terms.sampling()));
}

/// Failure: a sampling that nobody carries out is credited, or the refusal does not say why.
#[test]
fn a_sampling_that_nobody_carries_out_is_refused() {
    for (from, to, reason) in [
        (
            "unit = \"record\"",
            "unit = \"client\"",
            "privacy.sampling: this server picks the cohort",
        ),
        (
            "unit = \"record\"\nsampling",
            "# sampling",
            "privacy.largest_records: belongs to unit",
        ),
        ("sampling = \"0.2\"", "", "privacy.sampling: is needed"),
        (
            "sampling = \"0.2\"",
            "sampling = \"1.2\"",
            "privacy.sampling: a sampling probability of 1.2",
        ),
        (
            "sampling = \"0.2\"",
            "sampling = \"0\"",
            "privacy.sampling: a sampling probability of 0",
        ),
        ("largest_records = 96", "", "privacy.largest_records: is needed"),
        (
            "largest_records = 96",
            "largest_records = 0",
            "privacy.largest_records: 0 records",
        ),
        (
            "expected_records = 119",
            "expected_records = 0",
            "privacy.expected_records: the sum",
        ),
        (
            "algorithm = \"fed-sgd\"",
            "algorithm = \"fed-avg\"",
            "training.algorithm: must be fed-sgd",
        ),
        (
            "epochs = 1",
            "epochs = 1\ngradient_clip = \"1\"",
            "training.gradient_clip: has no meaning",
        ),
        (
            "[training]",
            "[privacy.weighting]\ncap = 5\nscale = \"1\"\n[training]",
            "privacy.weighting: records have no weights",
        ),
        (
            "unit = \"record\"",
            "unit = \"patient\"",
            "unknown variant `patient`",
        ),
    ] {
        let refused = records(from, to).map(|_| ()).unwrap_err();
        assert!(refused.contains(reason), "{from} -> {to}: {refused}");
    }
}

/// Failure: the transport keeps its usual bound, and a cohort above it can never be complete.
#[test]
fn the_transport_has_room_for_the_cohort() {
    let mut config: ServerConfig = toml::from_str(ServerConfig::template()).unwrap();
    for loopback in [false, true] {
        config.server.loopback = loopback;
        config.cohort.clients = 3_000;
        assert_eq!(config.limits().connections, 6_000);
        config.cohort.clients = 10;
        assert_eq!(config.limits().connections, Limits::default().connections);
    }
}
