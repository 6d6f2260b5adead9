//! Measures a program from outside: the size of its archive, how soon it is ready, and what the kernel accounts to it.
use std::io::Read as _;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

/// Bytes of the zip archive that Lambda gets: made by what makes the released one, as `cargo xtask bench` starts.
pub(crate) fn zip_bytes(bootstrap: &Path) -> Result<f64> {
    let zip = bootstrap.with_extension("zip");
    let of = |path: &Path| {
        path.metadata().with_context(|| format!("{} is not there: `cargo xtask bench` makes it", path.display()))
    };
    let (zip, program) = (of(&zip)?, of(bootstrap)?);
    ensure!(zip.modified()? >= program.modified()?, "the zip is older than its program: `cargo xtask bench` makes it");
    Ok(zip.len() as f64)
}

/// Milliseconds from starting the program to its first `next` call, the median of `runs`.
pub(crate) fn first_next_ms(bootstrap: &Path, runs: usize) -> Result<f64> {
    let mut times = Vec::with_capacity(runs);
    for _ in 0..runs {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let began = Instant::now();
        let mut child = Command::new(bootstrap)
            .env_clear()
            .envs([
                ("AWS_LAMBDA_RUNTIME_API", listener.local_addr()?.to_string().as_str()),
                ("AWS_LAMBDA_FUNCTION_NAME", "bench"),
                ("AWS_LAMBDA_FUNCTION_VERSION", "1"),
                ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
                ("AWS_LAMBDA_LOG_GROUP_NAME", "bench"),
                ("AWS_LAMBDA_LOG_STREAM_NAME", "bench"),
                ("AWS_REGION", "eu-central-1"),
                ("AWS_ACCESS_KEY_ID", "111111111111"),
                ("AWS_SECRET_ACCESS_KEY", "bench"),
                ("TIDEGATE_INSTALLATION", "main"),
            ])
            .stdout(Stdio::null())
            .spawn()
            .with_context(|| format!("{} was not built", bootstrap.display()))?;
        let (mut connection, _) = listener.accept()?;
        connection.set_read_timeout(Some(Duration::from_secs(10)))?;
        let mut request = [0; 4096];
        let length = connection.read(&mut request)?;
        times.push(began.elapsed().as_secs_f64() * 1000.0);
        child.kill()?;
        child.wait()?;
        let line = String::from_utf8_lossy(request.get(..length).unwrap_or_default()).into_owned();
        ensure!(line.starts_with("GET /2018-06-01/runtime/invocation/next"), "not the first `next` call: {line}");
    }
    Ok(median(&mut times))
}

/// The middle of some values.
pub(crate) fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// The processes that run this program.
pub(crate) fn processes_of(program: &Path) -> Result<Vec<u32>> {
    let program = program.canonicalize()?;
    let runs = |pid: &u32| std::fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|exe| exe == program);
    let entries = std::fs::read_dir("/proc")?;
    Ok(entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok()).filter(runs).collect())
}

/// CPU time that a process used so far, in milliseconds: of all its threads.
pub(crate) fn cpu_ms(pid: u32) -> Result<f64> {
    let mut nanoseconds = 0.0;
    for thread in std::fs::read_dir(format!("/proc/{pid}/task"))? {
        let text = std::fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += text.split(' ').next().context("an empty schedstat")?.parse::<f64>()?;
    }
    Ok(nanoseconds / 1e6)
}

/// The most memory that a process ever had resident, in MiB.
pub(crate) fn peak_mib(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("no VmHWM")?;
    let kib: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib / 1024.0)
}
