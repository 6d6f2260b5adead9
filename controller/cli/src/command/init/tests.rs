//! What becomes of functions that live already, and the files that say it.
use std::collections::BTreeMap;

use release_schema::{AliasName, Configuration, Defaults, SourceFile, read_environment, read_release_config};
use tidegate_core::ids::{RevisionId, Version};
use tidegate_core::live::{LiveConfiguration, LiveVersion, UpdateStatus, VersionState, Weighted};
use tidegate_core::release::{Code, Package};
use tidegate_runtime::adopt::{Image, Served};

use super::draft::LeftOut;
use super::*;

const REGISTRY: &str = "111111111111.dkr.ecr.eu-central-1.amazonaws.com";
const OTHER: &str = "222222222222.dkr.ecr.eu-central-1.amazonaws.com";

fn alias() -> AliasName {
    AliasName::default()
}

fn served(uri: &str, deployed_as: Option<&str>, tags: &[&str]) -> Served {
    let code = Code::Image(format!("sha256:{}", "0a".repeat(32)).parse().unwrap());
    let configuration = LiveConfiguration { memory_size: 256, timeout: 60, environment: Some(BTreeMap::new()) };
    Served {
        live: LiveVersion {
            version: Version::new(3),
            code: Some(code),
            package: Package::Image,
            state: VersionState::Active,
            last_update: UpdateStatus::Successful,
            configuration,
            role: None,
            dead_letter: None,
            reserved_concurrency: None,
            revision: RevisionId("r".to_owned()),
        },
        additional: None,
        image: Some(Image {
            repository: uri.parse().unwrap(),
            deployed_as: deployed_as.map(|tag| tag.parse().unwrap()),
            tags: tags.iter().map(|tag| tag.parse().unwrap()).collect(),
        }),
    }
}

/// An image of the environment's own registry, by one tag.
fn plain() -> Served {
    served(&format!("{REGISTRY}/company/a"), None, &["v1.0.0"])
}

fn changed(change: impl FnOnce(&mut Served)) -> Served {
    let mut served = plain();
    change(&mut served);
    served
}

fn denied() -> Found {
    Found::Unreadable(CallError {
        operation: "lambda:GetFunction",
        resource: "StagingSecret:live".to_owned(),
        kind: Kind::Denied,
        code: Some("AccessDeniedException".to_owned()),
        message: "no".to_owned(),
    })
}

fn found(functions: Vec<(&str, Found)>) -> BTreeMap<FunctionName, Found> {
    functions.into_iter().map(|(name, found)| (name.parse().unwrap(), found)).collect()
}

fn zip() -> Served {
    changed(|served| {
        served.live.package = Package::Zip;
        served.live.code = Some(Code::Zip("47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=".parse().unwrap()));
        served.image = None;
    })
}

fn draft(functions: Vec<(&str, Found)>, defaults: &Defaults) -> Result<Draft, Vec<Clash>> {
    draft::of(found(functions), &Wish { prefix: "Staging", alias: &alias(), defaults, taken: None })
}

fn one_of_each() -> Draft {
    let served = |uri: &str, deployed_as, tags: &[&str]| Found::Served(Box::new(served(uri, deployed_as, tags)));
    let own = |name: &str| format!("{REGISTRY}/company/{name}");
    let functions = vec![
        ("StagingFlightService", served(&own("flight-service"), Some("v1.0.0"), &["latest", "v1.0.0"])),
        ("StagingFlightBff", served(&own("flight-bff"), None, &["latest"])),
        ("StagingReservationService", served(&own("reservation-service"), Some("v0.9.1"), &[])),
        ("StagingPayments", served(&format!("{OTHER}/payments"), None, &[])),
        ("Staging2024", served(&own("yearly"), None, &["1.10"])),
        ("StagingReports", Found::Served(Box::new(zip()))),
        ("StagingCron", Found::NoAlias),
        ("StagingSecret", denied()),
        ("StagingNow", Found::Served(Box::new(changed(|served| served.live.version = None)))),
        (
            "StagingShifted",
            Found::Served(Box::new(changed(|served| {
                served.additional = Some(Weighted { version: Version::new(4).unwrap(), basis_points: 1_000 });
            }))),
        ),
        ("StagingForeign", Found::Served(Box::new(changed(|served| served.image = None)))),
        ("Staging", Found::Served(Box::new(plain()))),
    ];
    draft(functions, &Defaults::default()).unwrap()
}

#[test]
fn the_file_has_an_entry_or_the_reason_for_each_function_and_the_next_steps() {
    let draft = one_of_each();
    let text = text::services(&"staging".parse().unwrap(), &draft, &alias());
    assert!(text.lines().all(|line| line.len() <= 130), "{text}");
    insta::assert_snapshot!(text);
}

#[test]
fn the_file_is_valid_and_names_what_is_live() {
    let draft = one_of_each();
    let (environment, alias) = ("staging".parse().unwrap(), alias());
    let config = text::release_config(&environment, &alias);
    let config = read_release_config(&SourceFile::new("release-config.yaml", config.as_bytes()).unwrap()).unwrap();
    let text = text::services(&environment, &draft, &alias);
    let read = SourceFile::new("services.yaml", text.as_bytes())
        .and_then(|file| read_environment(&file, &environment, &config))
        .unwrap_or_else(|problems| panic!("{problems}\n{text}"));
    let names: Vec<&str> = read.services.keys().map(AsRef::as_ref).collect();
    assert_eq!(names, ["2024", "flight-bff", "flight-service", "payments", "reservation-service"]);
    assert_eq!(draft.registries, [REGISTRY, OTHER]);
    // What is left out of all functions is a comment: the file stays one of an environment.
    let nothing = self::draft(vec![("StagingCron", Found::NoAlias)], &Defaults::default()).unwrap();
    let text = text::services(&environment, &nothing, &alias);
    let file = SourceFile::new("services.yaml", text.as_bytes()).unwrap();
    assert!(read_environment(&file, &environment, &config).unwrap().services.is_empty(), "{text}");
}

#[test]
fn a_zip_becomes_valid_by_filling_in_its_object_and_taking_the_hash_signs_away() {
    let draft = draft(vec![("StagingReports", Found::Served(Box::new(zip())))], &Defaults::default()).unwrap();
    let text = text::list(&draft, &alias());
    let block: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("  # "))
        .filter(|line| line.ends_with(':') || line.starts_with("  "))
        .map(|line| format!("  {}\n", line.replace("\"\"", "\"company-artifacts\"")))
        .collect();
    let text = format!("services:\n{}", block.concat());
    let environment = "staging".parse().unwrap();
    let config = text::release_config(&environment, &alias());
    let config = read_release_config(&SourceFile::new("release-config.yaml", config.as_bytes()).unwrap()).unwrap();
    let read = read_environment(&SourceFile::new("s", text.as_bytes()).unwrap(), &environment, &config);
    assert_eq!(read.unwrap_or_else(|problems| panic!("{problems}\n{text}")).services.len(), 1);
}

#[test]
fn another_alias_is_the_default_of_a_new_repository_and_written_where_it_is_not() {
    let environment = "staging".parse().unwrap();
    let current: AliasName = "current".parse().unwrap();
    let config = text::release_config(&environment, &current);
    let config = read_release_config(&SourceFile::new("release-config.yaml", config.as_bytes()).unwrap()).unwrap();
    for (defaults, own) in [(&config.environments[&environment], false), (&Defaults::default(), true)] {
        let wish = Wish { prefix: "", alias: &current, defaults, taken: None };
        let draft = draft::of(found(vec![("a", Found::Served(Box::new(plain())))]), &wish).unwrap();
        assert_eq!(text::list(&draft, &current).contains("    alias: \"current\"\n"), own);
    }
}

#[test]
fn what_the_defaults_would_change_is_written_out_but_for_variables() {
    let with = |configuration| Defaults { configuration, ..Defaults::default() };
    let functions = || vec![("StagingA", Found::Served(Box::new(plain())))];
    let same = with(Configuration { memory_size: Some(256), timeout: Some(60), ..Configuration::default() });
    let text = text::list(&draft(functions(), &same).unwrap(), &alias());
    assert!(!text.contains("memorySize") && !text.contains("timeout"), "{text}");
    let other = with(Configuration { memory_size: Some(512), timeout: Some(30), ..Configuration::default() });
    let text = text::list(&draft(functions(), &other).unwrap(), &alias());
    assert!(text.ends_with("    memorySize: 256\n    timeout: 1m\n"), "{text}");
    let environment = BTreeMap::from([("LOG_LEVEL".to_owned(), "info".to_owned())]);
    let variables = with(Configuration { environment, ..Configuration::default() });
    let draft = draft(functions(), &variables).unwrap();
    assert!(draft.entries.is_empty());
    assert_eq!(draft.left_out[&"StagingA".parse().unwrap()], LeftOut::Variables(vec!["LOG_LEVEL".to_owned()]));
}

#[test]
fn two_functions_of_one_name_are_named_all_at_once_also_with_those_that_are_there() {
    let taken = BTreeMap::from([("billing".parse().unwrap(), "StagingBillingOld".parse().unwrap())]);
    let served = || Found::Served(Box::new(plain()));
    let functions = found(vec![
        ("StagingFlightService", served()),
        ("Staging-flight-service", Found::Served(Box::new(zip()))),
        ("StagingBilling", served()),
        ("StagingBILLING", Found::NoAlias),
    ]);
    let wish = Wish { prefix: "Staging", alias: &alias(), defaults: &Defaults::default(), taken: Some(&taken) };
    let clashes = draft::of(functions, &wish).unwrap_err();
    let error = refuse(&clashes);
    assert_eq!(
        error.message,
        "`StagingBillingOld` and `StagingBilling` would both be the service `billing`\n\
         `Staging-flight-service` and `StagingFlightService` would both be the service `flight-service`"
    );
}

#[test]
fn what_is_added_to_an_environment_names_its_registry_which_may_be_another_than_there() {
    let taken = BTreeMap::from([("billing".parse().unwrap(), "StagingBilling".parse().unwrap())]);
    for (taken, repository) in [(None, "company/a".to_owned()), (Some(&taken), format!("{REGISTRY}/company/a"))] {
        let wish = Wish { prefix: "", alias: &alias(), defaults: &Defaults::default(), taken };
        let draft = draft::of(found(vec![("a", Found::Served(Box::new(plain())))]), &wish).unwrap();
        let text = text::list(&draft, &alias());
        assert!(text.contains(&format!("    ecrRepository: \"{repository}\"\n")), "{text}");
    }
}
