//! The command line itself: what is refused before anything is done, schemas, completions.
use crate::run;

#[test]
fn what_makes_no_sense_ends_with_2_and_writes_no_data() {
    for arguments in [
        &[] as &[&str],
        &["deploy"],
        &["init"],
        &["init", "--environment", "Not_A_Name"],
        &["init", "--environment", "staging", "--alias", "$LATEST"],
        &["sync", "Not_A_Name"],
        &["sync", "staging/"],
        &["sync", "staging", "--confirm", "xyz"],
        &["sync", "--confirm", "3f2a9c1d"],
        &["history"],
        &["history", "staging", "--limit", "0"],
        &["history", "--limit", "5", "verify", "staging"],
        &["history", "show", "staging", "1"],
        &["history", "show", "staging/flight-service"],
        &["history", "show", "staging/flight-service", "0"],
        &["history", "verify"],
        &["status", "--watch", "-o", "json"],
        &["rollback"],
        &["prune-versions"],
        &["rollback", "production"],
        &["rollback", "production/flight-service", "--to", "latest"],
        &["promote", "production/flight-service", "--force"],
        &["pause", "production/flight-service", "--reason", " "],
        &["validate", "-o", "xml"],
    ] {
        let ended = run(arguments);
        assert_eq!((ended.code, ended.stdout.as_str()), (2, ""), "{arguments:?}: {}", ended.stderr);
        assert!(
            ended.stderr.contains("--help") || ended.stderr.contains("Usage: tidegate"),
            "{arguments:?}: {}",
            ended.stderr
        );
    }
}

#[test]
fn help_names_every_command_and_the_exit_codes() {
    let help = run(&["--help"]);
    assert_eq!(help.code, 0);
    for command in [
        "init",
        "validate",
        "diff",
        "sync",
        "status",
        "rollback",
        "unhold",
        "promote",
        "abort",
        "pause",
        "resume",
        "retry",
        "history",
        "prune-versions",
        "schema",
        "completions",
    ] {
        assert!(help.stdout.contains(&format!("\n  {command} ")), "{}", help.stdout);
        let own = run(&[command, "--help"]);
        assert_eq!(own.code, 0);
        assert!(own.stdout.contains("Examples:"), "{}", own.stdout);
    }
    for command in ["show", "verify"] {
        let own = run(&["history", command, "--help"]);
        assert!(own.code == 0 && own.stdout.contains("Examples:"), "{}", own.stdout);
    }
    assert!(help.stdout.contains("4  refused"), "{}", help.stdout);
    assert_eq!(run(&["--version"]).stdout, format!("tidegate {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_rollback_without_a_terminal_needs_its_reason_on_the_command_line() {
    let ended = run(&["rollback", "production/flight-service"]);
    assert_eq!((ended.code, ended.stdout.as_str()), (4, ""));
    assert_eq!(ended.stderr, "error: a rollback needs a reason\nhint: say why with `--reason TEXT`\n");
    let two = run(&["rollback", "production/flight-service", "staging/flight-service", "--reason", "5xx"]);
    assert_eq!((two.code, two.stdout.as_str()), (4, ""));
    assert!(two.stderr.contains("`production` and `staging` are rolled back one after the other"), "{}", two.stderr);
}

#[test]
fn the_schemas_are_those_that_are_checked_in() {
    let services = include_str!("../../../../release-schema/schema/services.schema.json");
    let config = include_str!("../../../../release-schema/schema/release-config.schema.json");
    assert!(run(&["schema"]).stdout == services, "the default is `services`");
    assert!(run(&["schema", "services"]).stdout == services);
    assert!(run(&["schema", "release-config"]).stdout == config);
}

#[test]
fn each_shell_gets_completions_of_all_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let ended = run(&["completions", shell]);
        assert_eq!(ended.code, 0, "{}", ended.stderr);
        for command in ["validate", "history", "confirm"] {
            assert!(ended.stdout.contains(command), "{shell} does not complete `{command}`");
        }
    }
}
