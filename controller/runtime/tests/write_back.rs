//! A rollback becomes a branch of the release repository: the line that changes, the file that says why, and nothing else.
#![expect(clippy::expect_used, reason = "a step of a test that fails should end the test there")]
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use git_server::{Behaviour, GitServer, Options, WorkTree};
use tidegate_core::history::Deployed;
use tidegate_core::ids::{Commit, ReleaseId, TransitionNumber, Version};
use tidegate_core::plan::Rollback;
use tidegate_core::release::{Code, Source};
use tidegate_core::state::Pushed;
use tidegate_runtime::git::{Cache, Limits, Remote};
use tidegate_runtime::wanted::{Content, Repository, validate};
use tidegate_runtime::write_back::{Edit, Error, Request, RollbackConfig, Written, run};

const CONFIG: &str = "environments:\n  production: {}\n";
const SERVICES: &str = "environments/production/services.yaml";
const BRANCH: &str = "tidegate/rollback/production/flight-service/42";

/// As a team would write it, and as no tool would.
const WRITTEN: &str = "\
# what runs in production
services:
    reservation-service: {functionName: R, ecrRepository: acme/r,   imageTag: 'v1.2.0'}   # same tag
    flight-service:
        # raised on Friday, see #812

        imageTag:   \"v1.2.0\"   # was v1.1.0
        functionName: F
        ecrRepository:   acme/f
";

struct World {
    served: git_server::Repository,
    author: WorkTree,
    server: GitServer,
    repository: Repository,
    dir: tempfile::TempDir,
}

impl World {
    /// A served release repository with this `services.yaml`.
    fn new(services: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let served = git_server::Repository::create(dir.path().join("served/r.git")).expect("a repository");
        let author = served.work_tree(dir.path().join("author")).expect("a work tree");
        let server = GitServer::start(&dir.path().join("served"), Options::default()).expect("a server");
        let remote = Remote::new(&server.url("r.git"), "main").expect("a remote");
        let cache = Arc::new(Cache::open(dir.path().join("cache")));
        let repository = Repository { remote, cache, limits: Limits::default() };
        let world = Self { served, author, server, repository, dir };
        world.author.write("release-config.yaml", CONFIG).expect("written");
        world.merge(services);
        world
    }

    /// Merges a change, and answers with its commit.
    fn merge(&self, services: &str) -> String {
        self.author.write(SERVICES, services).expect("written");
        let commit = self.author.commit("Release").expect("committed");
        self.author.push().expect("pushed");
        commit
    }

    fn head(&self) -> String {
        self.served.head("main").expect("a head")
    }

    /// The rollback of `flight-service` from what `main` says now.
    fn request(&self) -> Request {
        request(&self.head())
    }

    fn run(&self, request: &Request) -> Result<Written, Error> {
        run(&self.repository, request)
    }

    fn git(&self, arguments: &[&str]) -> String {
        self.served.git(arguments).expect("git")
    }

    /// The lines that the branch takes away and adds, by file.
    fn changed(&self, parent: &str) -> Vec<String> {
        let diff = self.git(&["diff", "--unified=0", "--no-color", parent, BRANCH, "--", "environments"]);
        let lines = diff.lines().filter(|line| line.starts_with(['+', '-']));
        lines.filter(|line| !line.starts_with("+++") && !line.starts_with("---")).map(str::to_owned).collect()
    }

    fn cold(&self) -> Repository {
        let cache = Arc::new(Cache::open(self.dir.path().join("cold")));
        Repository { cache, ..self.repository.clone() }
    }
}

fn time(text: &str) -> DateTime<Utc> {
    text.parse().expect("a time")
}

fn deployed(version: u64, tag: &str, digit: char) -> Deployed {
    Deployed {
        version: Version::new(version),
        release: ReleaseId::from_sha256([u8::try_from(version).expect("small"); 32]),
        code: Code::Image(format!("sha256:{}", digit.to_string().repeat(64)).parse().expect("a digest")),
        tag: Some(tag.parse().expect("a tag")),
        archive: None,
    }
}

/// Rollback 42: back from `v1.2.0` to `v1.1.0`, while this commit was in force.
fn request(commit: &str) -> Request {
    Request {
        environment: "production".parse().expect("a name"),
        service: "flight-service".parse().expect("a name"),
        rollback: Rollback {
            number: TransitionNumber(42),
            held: Deployed { version: None, ..deployed(7, "v1.2.0", 'a') },
            live: deployed(6, "v1.1.0", 'b'),
            commit: Commit {
                id: commit.to_owned(),
                author: "Rita Release <rita@example.com>".to_owned(),
                time: time("2026-11-21T13:55:02Z"),
                summary: "Release v1.2.0".to_owned(),
            },
            reason: "5xx after 14:02".to_owned(),
            actor: "arn:aws:sts::111111111111:assumed-role/engineer/ben".to_owned(),
            at: time("2026-11-21T14:06:31.25Z"),
        },
    }
}

#[test]
fn the_branch_changes_one_line_and_adds_one_file() {
    let world = World::new(WRITTEN);
    let request = world.request();
    let written = world.run(&request).expect("written");
    let file = "history/rollback-configs/production/flight-service/42-20261121T140631Z.yaml";
    assert_eq!((written.branch.as_str(), written.file.as_str()), (BRANCH, file));
    assert_eq!((written.edit.clone(), written.compare_url.clone()), (Edit::Made, None));
    assert_eq!(world.served.head(BRANCH).expect("a branch"), written.commit.to_string());
    let pushed = Pushed { branch: BRANCH.to_owned(), url: None, without_edit: None };
    assert_eq!(Pushed::from(written), pushed);

    let before = "-        imageTag:   \"v1.2.0\"   # was v1.1.0";
    assert_eq!(world.changed("main"), [before, &before.replacen('-', "+", 1).replace("v1.2.0", "v1.1.0")]);
    let names = world.git(&["diff", "--name-status", "main", BRANCH]);
    assert_eq!(names, format!("M\t{SERVICES}\nA\t{file}"));
    let text = world.git(&["show", &format!("{BRANCH}:{file}")]);
    let read = RollbackConfig::parse(file, text.as_bytes()).expect("readable");
    let Rollback { number, held, live, commit, reason, actor, at: _ } = request.rollback;
    assert_eq!((read.environment, read.service, read.record), (request.environment, request.service, number));
    assert_eq!((read.held_out, read.live, read.commit.to_string()), (held, live, commit.id));
    assert_eq!((read.reason, read.actor, read.at), (reason, actor, time("2026-11-21T14:06:31Z")));
}

#[test]
fn the_commit_says_what_happened_and_who_asked_for_it() {
    let world = World::new(WRITTEN);
    world.run(&world.request()).expect("written");
    assert_eq!(
        world.git(&["log", "-1", "--format=%an%n%cn%n%aI%n%B", BRANCH]),
        format!(
            "arn:aws:sts::111111111111:assumed-role/engineer/ben\nTidegate\n2026-11-21T14:06:31+00:00\n\
             Roll back production/flight-service to v1.1.0\n\n\
             All traffic went to v1.1.0 (version 6) at 2026-11-21 14:06:31 UTC; v1.2.0 is held out.\n\n\
             Reason: 5xx after 14:02\n\
             By: arn:aws:sts::111111111111:assumed-role/engineer/ben\n\
             Record: 42 of `tidegate history production/flight-service`\n\n\
             Merging this makes `{SERVICES}` name what is live."
        )
    );
    assert_eq!(world.git(&["rev-parse", &format!("{BRANCH}^")]), world.head());
}

#[test]
fn asked_twice_it_is_the_same_commit_and_one_push() {
    let world = World::new(WRITTEN);
    let request = world.request();
    let first = world.run(&request).expect("written");
    world.server.forget_requests();
    assert_eq!(world.run(&request).expect("written"), first);
    let requests = world.server.requests();
    assert_eq!(requests.len(), 1, "{requests:?}");
    // Another process, with nothing on its disk.
    assert_eq!(run(&world.cold(), &request).expect("written"), first);
}

#[test]
fn a_warm_cache_costs_two_requests() {
    let world = World::new(WRITTEN);
    let request = world.request();
    let Repository { remote, cache, limits } = &world.repository;
    let in_force = request.rollback.commit.id.parse().expect("an id");
    cache.snapshot(remote, in_force, limits).expect("a snapshot");
    world.server.forget_requests();
    world.run(&request).expect("written");
    assert_eq!(world.server.requests().len(), 2);
}

#[test]
fn a_cold_cache_begins_where_the_rollback_was_whatever_was_merged_since() {
    let world = World::new(WRITTEN);
    let request = world.request();
    let in_force = world.head();
    world.merge("services: [");
    world.merge("");
    let written = run(&world.cold(), &request).expect("written");
    assert_eq!(written.edit, Edit::Made);
    assert_eq!(world.git(&["rev-parse", &format!("{BRANCH}^")]), in_force);
    assert_eq!(world.changed(&in_force).len(), 2);
}

#[test]
fn every_service_of_the_sample_is_set_back_by_one_line_and_stays_valid() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-release-repo");
    let read = |path: &str| std::fs::read_to_string(sample.join(path)).expect("a file of the sample");
    let world = World::new("");
    world.author.write("release-config.yaml", read("release-config.yaml")).expect("written");
    let services = read(SERVICES);
    world.merge(&services);
    for service in ["flight-service", "reservation-service", "flight-bff"] {
        let request = Request { service: service.parse().expect("a name"), ..world.request() };
        let branch = world.run(&request).expect("written").branch;
        assert_eq!(branch, format!("tidegate/rollback/production/{service}/42"));
        let stat = world.git(&["diff", "--numstat", "main", &branch, "--", "environments"]);
        assert_eq!(stat, format!("1\t1\t{SERVICES}"));
        let show = |path: &str| world.git(&["show", &format!("{branch}:{path}")]).into_bytes();
        let content = Content { release_config: show("release-config.yaml"), services: show(SERVICES) };
        let environment = validate(&request.environment, &content).expect("valid");
        let changed = environment.services.iter().filter(|(_, service)| {
            let release_schema::Artifact::Image(image) = &service.artifact else { return false };
            image.tag.to_string() == "v1.1.0"
        });
        assert_eq!(changed.map(|(name, _)| name.as_str()).collect::<Vec<_>>(), [service]);
    }
}

#[test]
fn what_no_edit_can_say_is_left_to_a_person_with_the_reason() {
    let shared = "services:\n  flight-service: { functionName: F, ecrRepository: a/f, imageTag: &tag v1.2.0 }\n  \
                  other: { functionName: O, ecrRepository: a/o, imageTag: *tag }\n";
    let cases = [
        (shared, "the code of `flight-service` is a YAML anchor: other values of the file would change with it"),
        ("services: {}\n", "has no service `flight-service`"),
        ("services: [\n", "is not valid"),
    ];
    for (services, reason) in cases {
        let world = World::new(services);
        let written = world.run(&world.request()).expect("written");
        let Edit::Missing { why } = &written.edit else { panic!("{written:?}") };
        assert!(why.contains(reason), "{why}");
        assert!(!why.contains('\n'), "{why}");
        assert_eq!(Pushed::from(written.clone()).without_edit.as_ref(), Some(why));
        assert_eq!(world.git(&["diff", "--name-status", "main", BRANCH]), format!("A\t{}", written.file));
        let message = world.git(&["log", "-1", "--format=%B", BRANCH]);
        assert!(message.contains("has to be set back by hand"), "{message}");
    }
}

#[test]
fn an_image_whose_tag_nobody_knows_and_a_file_that_is_gone_are_left_to_a_person() {
    let world = World::new(WRITTEN);
    let mut request = world.request();
    request.rollback.live.tag = None;
    let written = world.run(&request).expect("written");
    let Edit::Missing { why } = written.edit else { panic!("{written:?}") };
    assert_eq!(why, format!("the tag of `sha256:{}` is not known", "b".repeat(64)));

    let world = World::new(WRITTEN);
    world.author.git(["rm", "--quiet", SERVICES]).expect("removed");
    world.author.commit("Remove production").expect("committed");
    world.author.push().expect("pushed");
    let written = world.run(&world.request()).expect("written");
    assert_eq!(written.edit, Edit::Missing { why: format!("`{SERVICES}` does not exist") });
}

#[test]
fn where_git_names_it_already_only_the_file_is_added() {
    let world = World::new(&WRITTEN.replace("\"v1.2.0\"", "\"v1.1.0\""));
    let written = world.run(&world.request()).expect("written");
    assert_eq!(written.edit, Edit::NotNeeded);
    assert_eq!(world.git(&["diff", "--name-status", "main", BRANCH]), format!("A\t{}", written.file));
}

#[test]
fn an_archive_is_set_back_with_all_that_names_it_where_that_is_known() {
    const HASH: &str = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    let services = |key: &str, version: &str| {
        format!(
            "services:\n  flight-service:\n    functionName: F\n    s3Bucket: artifacts\n    s3Key: {key} # the build\n    \
             s3ObjectVersion: {version}\n"
        )
    };
    let world = World::new(&services("f-2.zip", "two"));
    let mut request = world.request();
    let (bucket, key, object_version) = ("artifacts".to_owned(), "f-1.zip".to_owned(), "one".to_owned());
    let archive = Some(Source::Zip { bucket, key, object_version });
    let zip = Code::Zip(HASH.parse().expect("a hash"));
    request.rollback.live = Deployed { code: zip, tag: None, archive, ..deployed(6, "x", 'b') };
    let written = world.run(&request).expect("written");
    assert_eq!(written.edit, Edit::Made);
    assert_eq!(world.git(&["show", &format!("{BRANCH}:{SERVICES}")]), services("f-1.zip", "one").trim_end());

    request.rollback.number = TransitionNumber(43);
    request.rollback.live.archive = None;
    let written = world.run(&request).expect("written");
    assert_eq!(written.edit, Edit::Missing { why: format!("where the archive `{HASH}` lies is not known") });
}

#[test]
fn what_people_wrote_cannot_look_like_anything_else() {
    let world = World::new(WRITTEN);
    let mut request = world.request();
    let forged = "5xx\n\nMerging this is approved.\nheldOut: null\u{1b}[31m <x> ".to_owned() + &"é".repeat(2_000);
    request.rollback.reason.clone_from(&forged);
    request.rollback.actor = "Eve <eve@example.com>\ncommitter Mallory <m@example.com> 1 +0000".to_owned();
    let written = world.run(&request).expect("written");

    let message = world.git(&["log", "-1", "--format=%B", BRANCH]);
    assert!(message.starts_with("Roll back production/flight-service to v1.1.0\n\nAll traffic went"), "{message}");
    assert_eq!(message.lines().filter(|line| line.starts_with("Merging")).count(), 1, "{message}");
    assert!(message.lines().any(|line| line.starts_with("Reason: 5xx Merging this is approved. heldOut: null")));
    assert!(!message.contains('\u{1b}'));
    assert_eq!(world.git(&["log", "-1", "--format=%cn <%ce>", BRANCH]), "Tidegate <tidegate@tidegate.invalid>");
    let text = world.git(&["show", &format!("{BRANCH}:{}", written.file)]);
    let read = RollbackConfig::parse("f", text.as_bytes()).expect("readable");
    assert_eq!((read.reason, read.actor), (forged, request.rollback.actor));
    world.git(&["fsck", "--strict"]);
}

#[test]
fn what_fails_can_be_run_again_and_says_when_that_is_of_no_use() {
    let world = World::new(WRITTEN);
    let request = world.request();
    let failed = |behaviour: Behaviour| {
        world.server.behave(behaviour);
        let error = world.run(&request).expect_err("no answer");
        assert!(!error.is_final(), "{error:?}");
        error.to_string()
    };
    let in_force = &request.rollback.commit.id;
    assert_eq!(failed(Behaviour::Down), format!("commit `{in_force}` could not be fetched"));
    for behaviour in [Behaviour::ReadOnly, Behaviour::PushUnanswered] {
        assert_eq!(failed(behaviour), format!("branch `{BRANCH}` could not be pushed"));
    }
    world.server.behave(Behaviour::Serve);
    let written = world.run(&request).expect("written");
    assert_eq!(world.served.head(BRANCH).expect("a branch"), written.commit.to_string());

    let mut other = request.clone();
    other.rollback.reason = "something else".to_owned();
    let error = world.run(&other).expect_err("taken");
    assert!(error.is_final(), "{error:?}");

    let mut gone = request;
    for id in ["0123456789abcdef0123456789abcdef01234567", "no id"] {
        gone.rollback.commit.id = id.to_owned();
        let error = world.run(&gone).expect_err("gone");
        assert!(error.is_final(), "{error:?}");
    }
}

#[test]
fn all_of_it_has_one_time_limit() {
    let world = World::new(WRITTEN);
    let request = world.request();
    world.merge("services: {}\n");
    // Slower than the limit only when the requests are taken together.
    world.server.behave(Behaviour::Slow(Duration::from_millis(400)));
    let limits = Limits { timeout: Duration::from_secs(1), ..Limits::default() };
    let started = Instant::now();
    let error = run(&Repository { limits, ..world.cold() }, &request).expect_err("slow");
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(!error.is_final(), "{error:?}");
}
