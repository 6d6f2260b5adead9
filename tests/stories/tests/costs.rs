//! What the documentation says an installation costs is what is computed.
use std::path::Path;

use stories::cost;

#[test]
fn the_tables_in_the_documentation_are_those_that_are_computed() {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/cost.md");
    let page = std::fs::read_to_string(page).expect("docs/cost.md");
    for table in [cost::table(), cost::prices()] {
        assert!(page.contains(&table), "docs/cost.md should contain:\n{table}");
    }
}

#[test]
fn what_is_billed_by_the_month_is_what_the_template_makes() {
    let template = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../infra/cloudformation/tidegate.template.yaml");
    let template = std::fs::read_to_string(template).expect("the plain template");
    for (kind, count) in cost::MADE {
        let line = format!("    Type: {kind}");
        assert_eq!(template.lines().filter(|found| *found == line).count(), count, "{kind}");
    }
}

#[test]
fn a_tick_lasts_as_long_as_its_calls_have_to_wait_and_never_longer_than_a_sweep() {
    let rounded = |services| (cost::seconds(services) * 10.0).round() / 10.0;
    // 2.5 s of close looks; 300 services and 24 close looks at 50 a second; half of 3,000 and 45 close looks.
    assert_eq!([10, 300, 3000].map(rounded), [3.5, 7.5, 31.9]);
    assert!((0..10_000).all(|services| cost::seconds(services) <= 47.0));
}
