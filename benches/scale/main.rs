//! Measures queries and reports on the sessions of a year: creates them, sends queries over HTTP, and prints the
//! response times.
//!
//! Run by `scripts/bench-queries`; `benches/README.md` has the results.

mod copy;
mod history;
mod measure;
mod noise;
mod population;
mod queries;
mod reports;
mod seed;

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;

#[derive(Parser)]
#[command(about = "Measures every query of the API on a year's sessions")]
struct Arguments {
    /// Number of ended sessions; a hundredth of it is live
    #[arg(default_value = "10000000", value_parser = clap::value_parser!(u32).range(1_000..=100_000_000))]
    sessions: u32,
    /// Folder of the installation; created if missing, otherwise used as it is
    #[arg(long)]
    data_dir: PathBuf,
    /// Only create the installation
    #[arg(long)]
    only_seed: bool,
    /// Only queries whose name contains this text; `reports` for reports only
    #[arg(long, default_value = "")]
    only: String,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        if !private_postgres::PrivatePostgres::exists_in(&arguments.data_dir) {
            seed::seed(&arguments.data_dir, arguments.sessions).await?;
        }
        if !arguments.only_seed {
            measure::measure(&arguments.data_dir, &arguments.only).await?;
        }
        Ok(())
    })
}

/// Does `work` and prints how long it took.
async fn said<T>(what: &str, work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    let begun = Instant::now();
    let done = work.await;
    eprintln!("{what}: {:.1} s", begun.elapsed().as_secs_f64());
    done
}
