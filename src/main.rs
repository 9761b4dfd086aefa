//! Parses the command line, runs one command, prints the error chain.

use std::io::Write;
use std::process::ExitCode;

use streamtally::cli;

/// jemalloc: receiving allocates and frees many small objects on several threads, for which it needs less processor
/// time.
#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let arguments = match cli::parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    let ended = runtime.block_on(cli::run(arguments));
    // Only lookups of host names can be left: they cannot be interrupted, and take 40 seconds when no name server answers.
    runtime.shutdown_background();
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// The exit code of a program that SIGPIPE (13) ended, which scripts recognize.
const NOBODY_READS: u8 = 128 + 13;

/// Prints the error and its causes, except causes that the text already contains. A broken pipe is not an error to
/// report.
fn fail(error: &anyhow::Error) -> ExitCode {
    if matches!(error.downcast_ref(), Some(cli::PrintError::BrokenPipe)) {
        return ExitCode::from(NOBODY_READS);
    }
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    let _ = writeln!(std::io::stderr(), "streamtally: {told}");
    if let Some(failed) = error.downcast_ref::<cli::ProgramFailed>() {
        return ExitCode::from(failed.exit_code());
    }
    // Bad usage has its own exit code, that of clap.
    if error.is::<cli::BadUsage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}
