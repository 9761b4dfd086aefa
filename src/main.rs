//! Parses the command line, runs one command, prints the error chain.

use std::io::Write;
use std::process::ExitCode;

use streamtally::cli;

/// Receiving makes and frees many small things on several threads, which this takes less of the processor for.
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
    match runtime.block_on(cli::run(arguments)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// As if a signal had ended the program (SIGPIPE, 13), which scripts know.
const NOBODY_READS: u8 = 128 + 13;

/// Prints what went wrong and why; causes that the text before has told already are left out. When nobody reads what is
/// printed, nothing is wrong.
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
    // Bad usage, as clap has it too, is told apart from failure.
    if error.is::<cli::BadUsage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}
