//! The page: inert whatever the entries hold, and complete.

use super::super::tests::story;
use super::super::verification::Verification;
use super::super::{audit, recompute};
use super::page;

fn ledger() -> Verification {
    Verification {
        origin: "tacita.test/ledger".to_owned(),
        size: 10,
        root: "00".repeat(32),
        origin_checked: true,
        check: "origin checked",
        witnessed: false,
        witness: "not witnessed: nobody was asked".to_owned(),
        keys: Vec::new(),
        period: Some((1_700_000_000, 1_700_086_400)),
        date: None,
    }
}

/// What a hostile server may put into a task's name, a reason or an origin.
const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(1)>&amp;'`--></title></style></svg>";

/// Failure: a value from an entry or an argument becomes markup, a script or a request.
#[test]
fn hostile_values_come_out_inert() {
    let mut report = recompute(&story("tasks", "too few")).unwrap();
    report.tasks[0].task = HOSTILE.to_owned();
    report.tasks[0].given_up[0].reason = HOSTILE.to_owned();
    report.tasks[0].rounds[0].clip = HOSTILE.to_owned();
    report.tasks[0].rounds[0].budget_epsilon = Some(HOSTILE.to_owned());
    report.findings.push(super::super::Finding {
        entry: 0,
        task: HOSTILE.to_owned(),
        round: 0,
        what: HOSTILE.to_owned(),
    });
    let audits = format!(
        r#"{{"audits":[{{"task":{},"view":"server","method":{},"epsilon_lower":"0.1","delta":"0.00001","confidence":null}}]}}"#,
        serde_json::to_string(HOSTILE).unwrap(),
        serde_json::to_string(HOSTILE).unwrap(),
    );
    audit::attach(&mut report, audit::read(audits.as_bytes()).unwrap()).unwrap();
    let hostile = Verification {
        origin: HOSTILE.to_owned(),
        root: HOSTILE.to_owned(),
        witness: HOSTILE.to_owned(),
        keys: vec![(0, HOSTILE.to_owned())],
        date: Some(HOSTILE.to_owned()),
        ..ledger()
    };
    let page = page(&report, &hostile);
    assert!(page.matches("&lt;script&gt;").count() >= 10);
    for live in [
        "<script",
        "<img",
        "--></",
        "</title><",
        "<link",
        "<iframe",
        "@import",
        "url(",
    ] {
        let at = page.find(live);
        let honest = live == "</title><" && at.is_some_and(|at| page[at..].starts_with("</title><style>"));
        assert!(
            at.is_none() || honest,
            "{live}: {:?}",
            at.map(|at| &page[at..at + 80])
        );
    }
    assert_eq!(
        page.matches("</title>").count(),
        1 + page.matches("<title id=").count()
    );
    assert_eq!(page.matches("</style>").count(), 1);
    assert_eq!(page.matches("</svg>").count(), page.matches("<svg").count());
    // No element carries an event handler, and nothing is fetched.
    for tag in page.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
        for word in tag.split_whitespace().skip(1) {
            assert!(!word.starts_with("on"), "{tag}");
            assert!(!word.starts_with("src=") && !word.starts_with("href="), "{tag}");
        }
    }
    assert!(page.contains("default-src 'none'") || page.contains("default-src &#39;none&#39;"));
}

/// Failure: the page depends on when or where it is made.
#[test]
fn the_same_entries_give_the_same_bytes() {
    let make = || page(&recompute(&story("digits", "too few")).unwrap(), &ledger());
    assert_eq!(make(), make());
}

/// Failure: a point of the checklist (what a privacy report must contain) is not on the page.
#[test]
fn every_point_of_the_checklist_is_there() {
    let report = recompute(&story("digits", "too few clients")).unwrap();
    let spent = report.tasks[0].spent;
    let page = page(&report, &ledger());
    for part in [
        // Setting, adversaries, computational.
        "distributed: every client clips",
        "First adversary: the server with c colluding clients",
        "Second adversary: everyone else",
        "the guarantee is computational",
        // Unit, adjacency, participation.
        "client: everything that one client sends",
        "zero-out: the vector of one client replaced by zero",
        "no cap: a client is taken to be in every round",
        // Covered and not.
        "every charged sum and what is computed from it",
        "who took part, who survived and when",
        // Guarantee at several deltas, Renyi curve, delta against population.
        &spent.epsilon_server.unwrap().to_string(),
        &spent.epsilon_public.unwrap().to_string(),
        "Epsilon at every delta",
        "0.0000000001",
        "Renyi divergence of all charges together",
        "times the largest cohort of 10",
        // Accounting.
        "Renyi differential privacy of the Skellam mechanism",
        "a fixed schedule",
        "sampling of clients is not credited",
        concat!("tacita ", env!("CARGO_PKG_VERSION")),
        // By round.
        "Noise planned",
        "Noise present",
        "Dropped out",
        "Padded d",
        "Squared L2",
        "beta = exp(-1/2)",
        "Local st. dev.",
        "Bits needed",
        "Left of the budget",
        // Tuning, failed and repeated rounds.
        "Failed and repeated rounds",
        "(repeated)",
        "too few clients",
        "no setting was tuned on private data",
        // Verification, audits, direction.
        "not witnessed: nobody was asked",
        "origin checked",
        "Audits beside proofs",
        "none given",
        "upper bound, rounded up",
        // An assessment.
        "For a data-protection impact assessment",
        "To be completed by the controller",
        "2023-11-14 22:13 UTC",
    ] {
        assert!(page.contains(part), "{part}");
    }
    // Every plot has words for those who cannot see it, every table a caption, every column a scope.
    assert_eq!(page.matches("<svg").count(), page.matches("<desc").count());
    assert!(page.matches("<svg").count() >= 5);
    assert_eq!(page.matches("<table").count(), page.matches("<caption>").count());
    assert_eq!(
        page.matches("<th ").count() + page.matches("<th>").count(),
        page.matches("scope=").count()
    );
}
