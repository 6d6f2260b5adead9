//! A world with environments of several sizes, all live at what Git wants, and the shipped controller as a Lambda in it.
use std::fmt::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use git_server::{GitServer, Repository, WorkTree};
use local_aws::{LocalAws, Options};
use serde_json::{Value, json};
use stories::account::{ACCOUNT, Account, BUCKET, Build, INSTALLATION, config_in, environment_configuration, program};
use stories::fleet::WHOLE_BUDGET;
use stories::grow::Fleet;

use crate::measure;

/// Converged ticks that are measured, after one that is not. With 3,000 services one takes half a minute.
const TICKS: usize = 3;
const REPOSITORY: &str = "company/bench";

/// Rollbacks that are timed.
const ROLLBACKS: usize = 10;

pub(crate) struct Scene {
    aws: LocalAws,
    account: Account,
    tree: WorkTree,
    bootstrap: std::path::PathBuf,
    image: String,
    // Kept, so that they live as long as the scene.
    _served: local_aws::server::Server,
    _git: GitServer,
    dir: tempfile::TempDir,
}

/// What one converged tick costs.
pub(crate) struct Tick {
    pub(crate) peak_mib: f64,
    pub(crate) cpu_ms: f64,
    pub(crate) wall_ms: f64,
}

/// Lambda calls of one release.
pub(crate) struct Calls {
    pub(crate) mutating: f64,
    pub(crate) all: f64,
}

impl Scene {
    pub(crate) async fn build(bootstrap: &Path, sizes: &[usize]) -> Result<Self> {
        let instant = Duration::ZERO;
        let options = Options {
            image_update: instant,
            zip_update: instant,
            configuration_update: instant,
            publish: instant,
            ..Options::default()
        };
        let aws = LocalAws::new(options);
        let (_, served) = local_aws::server::serve(aws.clone(), 0).await?;
        let dir = tempfile::tempdir()?;
        let repository = Repository::create(dir.path().join("git/releases.git"))?;
        let tree = repository.work_tree(dir.path().join("tree"))?;
        let git = GitServer::start(&dir.path().join("git"), git_server::Options::default())?;
        let account = Account::new(&config_in(&aws, ACCOUNT));
        account.create_bucket(BUCKET).await?;
        account.create_repository(REPOSITORY).await?;
        let service = Build { program: "closure:none", environment: &[] };
        let first = account.push_image(REPOSITORY, "v1", service).await?;
        account.create_repository("tidegate").await?;
        let controller = Build { program: &program(bootstrap)?, environment: &[] };
        let image = account.push_image("tidegate", "bench", controller).await?;
        let bootstrap = bootstrap.canonicalize()?;
        let scene = Self { aws, account, tree, bootstrap, image, _served: served, _git: git, dir };
        scene.prepare(sizes, &first).await?;
        Ok(scene)
    }

    /// Environments of all sizes. The first service of each is adopted by the controller, the others are as it left that one.
    async fn prepare(&self, sizes: &[usize], image: &str) -> Result<()> {
        let mut environments = Vec::new();
        let mut config = "environments:\n".to_owned();
        for size in sizes {
            let name = format!("of-{size}");
            writeln!(config, "  {name}: {{}}")?;
            self.tree.write(&services_file(*size), services(*size, 1, "v1"))?;
            let configuration = environment_configuration(&format!("of-{size}-"));
            environments.push((name, format!("{configuration}{WHOLE_BUDGET}")));
            let first = function(*size, 0);
            self.account.create_function(&first, image, 10, &[]).await?;
            self.account.publish_by_hand(&first, "live").await?;
        }
        self.tree.write("release-config.yaml", config)?;
        self.tree.commit("The first service of each environment")?;
        self.tree.push()?;
        let environments: Vec<(&str, String)> =
            environments.iter().map(|(name, text)| (name.as_str(), text.clone())).collect();
        self.account.configure(&self._git.url("releases.git"), &environments).await?;
        self.controller("adopt").await?;
        for (name, _) in &environments {
            self.adopt(name).await?;
        }
        for size in sizes {
            self.tree.write(&services_file(*size), services(*size, *size, "v1"))?;
        }
        let commit = self.tree.commit("All services")?;
        self.tree.push()?;
        for (size, (name, _)) in sizes.iter().zip(&environments) {
            println!("preparing {size} services");
            let (environment, function) = (name.parse()?, |number| function(*size, number));
            let fleet =
                Fleet { aws: &self.aws, account: &self.account, environment: &environment, function: &function };
            fleet.grow(*size, &services(*size, *size, "v1"), &commit).await?;
        }
        Ok(())
    }

    /// Ticks until nothing is to be done any more.
    async fn adopt(&self, environment: &str) -> Result<()> {
        for _ in 0..10 {
            let answer = self.tick("adopt", environment).await?;
            if unsynced(&answer) == 0 && answer.pointer("/reports/0/services/service-0/done") == Some(&json!([])) {
                return Ok(());
            }
        }
        bail!("the first service of {environment} does not converge")
    }

    /// A controller of its own process, which none of the others share.
    async fn controller(&self, name: &str) -> Result<()> {
        let cache = self.dir.path().join(name).to_string_lossy().into_owned();
        let variables = [("TIDEGATE_INSTALLATION", INSTALLATION), ("TIDEGATE_CACHE", &cache), ("TIDEGATE_LOG", "warn")];
        self.account.create_function(name, &self.image, 60, &variables).await
    }

    async fn tick(&self, controller: &str, environment: &str) -> Result<Value> {
        let event = json!({"command": "sync", "environment": environment});
        let answer = self.account.invoke(controller, None, &event).await?;
        ensure!(answer.pointer("/failures/0").is_none(), "the tick failed: {answer}");
        ensure!(answer.pointer("/reports/0").is_some(), "no report: {answer}");
        Ok(answer)
    }

    /// Ticks until everything is taken over, then measures a fresh process that finds nothing to do.
    pub(crate) async fn converged(&self, size: usize) -> Result<Tick> {
        let environment = format!("of-{size}");
        let before = measure::processes_of(&self.bootstrap)?;
        let controller = format!("converged-{size}");
        self.controller(&controller).await?;
        self.tick(&controller, &environment).await?;
        let now = measure::processes_of(&self.bootstrap)?;
        let pid =
            now.into_iter().find(|pid| !before.contains(pid)).context("the controller's process was not found")?;
        let cpu_before = measure::cpu_ms(pid)?;
        let mut walls = Vec::with_capacity(TICKS);
        for _ in 0..TICKS {
            let began = Instant::now();
            let answer = self.tick(&controller, &environment).await?;
            walls.push(began.elapsed().as_secs_f64() * 1000.0);
            ensure!(unsynced(&answer) == 0, "a converged tick is not converged");
        }
        let cpu_ms = (measure::cpu_ms(pid)? - cpu_before) / TICKS as f64;
        Ok(Tick { peak_mib: measure::peak_mib(pid)?, cpu_ms, wall_ms: measure::median(&mut walls) })
    }

    /// Releases a new image of one service, and counts what the controller calls for its function.
    pub(crate) async fn release_calls(&self) -> Result<Calls> {
        let next = Build { program: "closure:none", environment: &[("BUILD", "2")] };
        self.account.push_image(REPOSITORY, "v2", next).await?;
        let text = services(2, 2, "v1").replacen("v1", "v2", 1);
        self.tree.write(&services_file(2), text)?;
        self.tree.commit("Release v2 of one service")?;
        self.tree.push()?;
        self.aws.forget_calls();
        for _ in 0..5 {
            self.tick("converged-2", "of-2").await?;
            let alias = self.account.lambda.get_alias().function_name("of-2-0").name("live").send().await?;
            if alias.function_version() == Some("2") {
                let ours = |call: &&local_aws::CallRecord| {
                    call.service == "lambda"
                        && call.resource.starts_with("of-2-0")
                        && call.caller.contains("assumed-role")
                };
                let calls = self.aws.calls();
                let mutating = calls.iter().filter(ours).filter(|call| call.is_mutating()).count();
                return Ok(Calls { mutating: mutating as f64, all: calls.iter().filter(ours).count() as f64 });
            }
        }
        bail!("the release did not become live in five ticks")
    }
}

impl Scene {
    /// From the start of a `tidegate rollback --direct` to the alias's move, in ms: the median of several, back and forth.
    pub(crate) async fn rollback_ms(&self, tidegate: &Path) -> Result<f64> {
        let endpoint = self.aws.endpoint().context("the local AWS is not served")?;
        let mut times = Vec::new();
        // The release before gave history two records; each one that follows names the other of them.
        for record in ["1", "2"].into_iter().cycle().take(ROLLBACKS) {
            self.aws.forget_calls();
            // The world runs as fast as this machine's clock.
            let began = self.aws.clock().now();
            let output = tokio::process::Command::new(tidegate)
                .args(["rollback", "of-2/service-0", "--to", record, "--reason", "measured", "--direct"])
                .env("AWS_ENDPOINT_URL", &endpoint)
                .env("AWS_REGION", stories::account::REGION)
                .env("AWS_ACCESS_KEY_ID", ACCOUNT)
                .env("AWS_SECRET_ACCESS_KEY", "secret")
                .env("TIDEGATE_INSTALLATION", INSTALLATION)
                .output()
                .await?;
            ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let calls = self.aws.calls();
            let moved = calls.iter().find(|call| call.operation == "UpdateAlias").context("the alias did not move")?;
            times.push((moved.at - began).num_microseconds().unwrap_or(i64::MAX) as f64 / 1000.0);
        }
        Ok(measure::median(&mut times))
    }
}

fn unsynced(answer: &Value) -> usize {
    let services = answer.pointer("/reports/0/services").and_then(Value::as_object);
    services.map_or(usize::MAX, |services| {
        services.values().filter(|service| service.pointer("/standing/sync") != Some(&json!("Synced"))).count()
    })
}

fn function(size: usize, number: usize) -> String {
    format!("of-{size}-{number}")
}

fn services_file(size: usize) -> String {
    format!("environments/of-{size}/services.yaml")
}

/// The first so many services of the environment of this size.
fn services(size: usize, count: usize, tag: &str) -> String {
    let mut text = "services:\n".to_owned();
    for number in 0..count {
        let _ = write!(
            text,
            "  service-{number}:\n    imageTag: \"{tag}\"\n    functionName: {}\n    ecrRepository: {REPOSITORY}\n",
            function(size, number)
        );
    }
    text
}
