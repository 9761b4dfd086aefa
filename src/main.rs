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

fn fail(error: &anyhow::Error) -> ExitCode {
    if let Some(words) = cli::describe(error) {
        let _ = writeln!(std::io::stderr(), "{words}");
    }
    ExitCode::from(cli::exit_code(error))
}
