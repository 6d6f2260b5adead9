//! The stage: a local AWS and a Git server as programs of their own, the account prepared, the controller on its schedule.
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, Result, ensure};
use git_server::{Repository, WorkTree};
use serde_json::{Value, json};
use stories::account::{
    ACCOUNT, Account, BUCKET, Build, CONTROLLER, INSTALLATION, REGION, config_at, environment_configuration, program,
};
use stories::release_repository::push_sample;
use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};

use crate::tell;

/// The services of the sample: their name, function and repository.
pub(crate) const SERVICES: [(&str, &str, &str); 3] = [
    ("flight-service", "StagingFlightService", "company/flight-service"),
    ("reservation-service", "StagingReservationService", "company/reservation-service"),
    ("flight-bff", "StagingFlightBff", "company/flight-bff"),
];

/// Everything that plays.
pub(crate) struct Stage {
    /// The account, through the stock SDK.
    pub(crate) account: Account,
    /// The release team's work tree.
    pub(crate) tree: WorkTree,
    endpoint: String,
    git_url: String,
    programs: PathBuf,
    dir: tempfile::TempDir,
    // Both end with the demo.
    _servers: [Child; 2],
}

impl Stage {
    pub(crate) async fn build(time_scale: f64) -> Result<Self> {
        tell::chapter("The stage");
        let programs = std::env::current_exe()?.parent().context("a program without a folder")?.to_path_buf();
        let dir = tempfile::Builder::new().prefix("tidegate-demo-").tempdir()?;
        let scale = time_scale.to_string();
        let logs = dir.path().join("logs");
        std::fs::create_dir(&logs)?;
        let logs = logs.to_str().context("a folder that is not UTF-8")?.to_owned();
        let aws = ["--port", "0", "--time-scale", &scale, "--rates", "--logs", &logs];
        let (aws, endpoint) = serve(&programs.join("local-aws"), &aws).await?;
        tell::step(&format!("AWS       {endpoint}  (a minute of it is {:.1} s)", 60.0 / time_scale));

        let root = dir.path().join("git");
        let repository = Repository::create(root.join("releases.git"))?;
        let tree = push_sample(&repository, dir.path().join("releases"))?;
        let root = root.to_str().context("a folder that is not UTF-8")?.to_owned();
        let (git, git_url) = serve(&programs.join("git-server"), &["--root", &root, "--port", "0"]).await?;
        let git_url = format!("{git_url}/releases.git");
        tell::step(&format!("Git       {git_url}"));

        let account = Account::new(&config_at(&endpoint, ACCOUNT));
        let stage = Self { account, tree, endpoint, git_url, programs, dir, _servers: [aws, git] };
        stage.prepare_services().await?;
        stage.prepare_controller().await?;
        Ok(stage)
    }

    /// The services' images and functions, as their teams have them. No alias yet: that is Tidegate's first deploy.
    async fn prepare_services(&self) -> Result<()> {
        for (service, function, repository) in SERVICES {
            self.account.create_repository(repository).await?;
            let image = self.push(service, "v1.0.0").await?;
            let variables = [("SERVICE_REGISTRY", "/services/staging")];
            self.account.create_function(function, &image, 10, &variables).await?;
            tell::step(&format!("function  {function} from {repository}:v1.0.0"));
        }
        for tag in ["v1.1.0", "v1.2.0"] {
            self.push("flight-service", tag).await?;
        }
        Ok(())
    }

    /// Pushes a build of a service: the program that was just built, with its version fixed in the image.
    pub(crate) async fn push(&self, service: &str, tag: &str) -> Result<String> {
        self.push_failing(service, tag, 0.0).await
    }

    /// Pushes a build that fails in this share of its invocations.
    pub(crate) async fn push_failing(&self, service: &str, tag: &str, rate: f64) -> Result<String> {
        let program = program(&self.programs.join(service))?;
        let rate = rate.to_string();
        let environment = [("BUILD_VERSION", tag), ("BUILD_FAILURE_RATE", &rate)];
        let build = Build { program: &program, environment: &environment };
        self.account.push_image(&format!("company/{service}"), tag, build).await
    }

    /// Asks an alias of a function: this build has to answer.
    pub(crate) async fn answers(&self, function: &str, alias: &str, payload: &Value, version: &str) -> Result<()> {
        let answer = self.account.invoke(function, Some(alias), payload).await?;
        let found = answer.get("version").and_then(Value::as_str);
        ensure!(found == Some(version), "{function}:{alias} answers with {found:?}, not {version}: {answer}");
        tell::holds(&format!("{function}:{alias} answers with version {version}"));
        Ok(())
    }

    /// Fetches a branch of the release repository, and shows what a pull request of it would change.
    pub(crate) fn show_branch(&self, branch: &str) -> Result<()> {
        self.tree.git(["fetch", "--quiet", "origin", branch])?;
        tell::command(&format!("git fetch origin {branch} && git diff main...FETCH_HEAD"));
        let diff = self.tree.git(["diff", "--no-color", "--unified=1", "main...FETCH_HEAD"])?;
        ensure!(diff.contains("+    imageTag:"), "the branch sets nothing back: {diff}");
        tell::output(&diff);
        Ok(())
    }

    async fn prepare_controller(&self) -> Result<()> {
        self.account.create_bucket(BUCKET).await?;
        let staging = environment_configuration("Staging");
        self.account.configure(&self.git_url, &[("staging", staging)]).await?;
        self.account.install(&self.git_url, true).await?;
        self.account.create_repository("tidegate").await?;
        let program = program(&self.programs.join("bootstrap"))?;
        let image = self.account.push_image("tidegate", "demo", Build { program: &program, environment: &[] }).await?;
        let cache = self.dir.path().join("cache").to_string_lossy().into_owned();
        let state = format!("s3://{BUCKET}/tidegate");
        let variables =
            [("TIDEGATE_INSTALLATION", INSTALLATION), ("TIDEGATE_STATE", &state), ("TIDEGATE_CACHE", &cache)];
        self.account.create_function(CONTROLLER, &image, 60, &variables).await?;
        let input = json!({"command": "sync", "environment": "staging"});
        self.account.schedule_every_minute("tidegate-staging", CONTROLLER, &input).await?;
        tell::step(&format!("function  {CONTROLLER}: the controller, invoked every minute"));
        Ok(())
    }

    /// What a person's shell has set.
    fn environment(&self) -> [(&'static str, String); 6] {
        [
            ("AWS_ENDPOINT_URL", self.endpoint.clone()),
            ("AWS_REGION", REGION.to_owned()),
            ("AWS_DEFAULT_REGION", REGION.to_owned()),
            ("AWS_ACCESS_KEY_ID", ACCOUNT.to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "demo".to_owned()),
            ("TIDEGATE_INSTALLATION", INSTALLATION.to_owned()),
        ]
    }

    /// Runs `tidegate` as a person would, shows what it prints, and checks how it ends.
    pub(crate) async fn tidegate(&self, arguments: &[&str], expected: i32) -> Result<String> {
        tell::command(&format!("tidegate {}", arguments.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ")));
        let output = Command::new(self.programs.join("tidegate"))
            .args(arguments)
            .current_dir(self.tree.dir())
            .envs(self.environment())
            // 80, less what stands before its lines here.
            .env("COLUMNS", "77")
            .output()
            .await
            .context("`tidegate` could not be started")?;
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        tell::output(&stdout);
        tell::output(&stderr);
        let code = output.status.code();
        ensure!(code == Some(expected), "`tidegate {}` ended with {code:?}, not {expected}", arguments.join(" "));
        Ok(stdout.into_owned())
    }

    fn controller_log(&self) -> PathBuf {
        self.dir.path().join("logs").join(format!("{ACCOUNT}-{REGION}-{CONTROLLER}.log"))
    }

    /// The newest lines of the controller's log.
    pub(crate) async fn show_controller_log(&self) {
        let file = self.controller_log();
        if let Ok(text) = tokio::fs::read_to_string(&file).await {
            let lines: Vec<&str> = text.lines().collect();
            tell::step(&format!("the end of {}:", file.display()));
            tell::output(&lines.get(lines.len().saturating_sub(20)..).unwrap_or_default().join("\n"));
        }
    }

    /// Says how to look around, and waits until the person has seen enough.
    pub(crate) async fn keep(&self) -> Result<()> {
        self.tree.git(["push", "--quiet", "--set-upstream", "origin", "main"])?;
        tell::chapter("Everything is running. Look around in another terminal:");
        for (name, value) in self.environment() {
            println!("export {name}={value}");
        }
        println!("export PATH={}:$PATH", self.programs.display());
        println!("cd {}", self.tree.dir().display());
        println!();
        println!("tidegate status staging                # how it stands");
        println!("tidegate history staging               # what happened");
        println!("$EDITOR environments/staging/services.yaml   # tags: v1.0.0 to v1.6.0");
        println!("tidegate diff                          # what a merge would change");
        println!("git commit -am 'Release it' && git push    # its first step within two ticks");
        println!("tidegate status staging --watch        # nobody sends requests now: no metrics, so");
        println!("tidegate promote staging/flight-service --full    # it waits for a person");
        println!("aws lambda get-alias --function-name StagingFlightService --name live");
        println!("echo '{{\"flight\":\"TG123\"}}' | aws lambda invoke --payload fileb:///dev/stdin \\");
        println!("  --function-name StagingFlightBff:live answer.json && cat answer.json");
        println!("aws lambda update-alias --function-name StagingFlightService \\");
        println!("  --name live --function-version 1     # a hand edit: see the status then");
        println!("tail -f {}", self.controller_log().display());
        println!("\nCtrl-C ends it all");
        tokio::signal::ctrl_c().await?;
        Ok(())
    }
}

/// A word as a shell takes it.
fn quoted(word: &str) -> String {
    if word.contains(' ') { format!("'{word}'") } else { word.to_owned() }
}

/// Starts a server that says where it listens, and reads where.
async fn serve(program: &Path, arguments: &[&str]) -> Result<(Child, String)> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .with_context(|| format!("`{}` could not be started", program.display()))?;
    let mut lines = BufReader::new(child.stdout.take().context("no output")?).lines();
    let line = lines.next_line().await?.with_context(|| format!("`{}` ended at once", program.display()))?;
    let url = line.strip_prefix("listening on ").context("a server that does not say where it listens")?.to_owned();
    // Read on, so that the server never waits for a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok((child, url))
}
