//! Parses the command line, runs one command, prints the error chain.

use std::process::ExitCode;

use streamtally::command;

/// Receiving makes and frees many small things on several threads, which this takes less of the processor for.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let cli = match command::parse(std::env::args_os().collect()) {
        Ok(cli) => cli,
        Err(error) => return fail(&error),
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error.into()),
    };
    match runtime.block_on(command::run(cli)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error),
    }
}

/// Prints what went wrong and why; causes that the text before has told already are left out.
fn fail(error: &anyhow::Error) -> ExitCode {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    eprintln!("streamtally: {told}");
    // Bad usage, as clap has it too, is told apart from failure.
    if error.is::<command::BadUsage>() { ExitCode::from(2) } else { ExitCode::FAILURE }
}
