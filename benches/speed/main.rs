//! How fast callbacks are received, beside a handler as one would write it by hand: both on private databases that are
//! durable alike, under the same load, one after the other.
//!
//! `scripts/bench` runs it; `README.md` beside it says what was found.

mod baseline;
mod growth;
mod rows;
mod service;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(about = "Measures receiving, beside a handler as one would write it by hand")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// How long each closed loop lasts
    #[arg(long, default_value = "10", value_name = "SECONDS")]
    seconds: u64,
    /// Only rows whose name contains this
    #[arg(long, default_value = "")]
    only: String,
    /// Instead, how speed and size change while the log grows by so many million entries
    #[arg(long, value_name = "MILLIONS")]
    grow: Option<u32>,
    /// Cargo says so
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the handler that one would write by hand
    #[command(hide = true)]
    Baseline {
        #[arg(long)]
        data_dir: PathBuf,
        #[arg(long)]
        listen: String,
    },
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    match arguments.command {
        Some(Command::Baseline { data_dir, listen }) => runtime.block_on(baseline::serve(&data_dir, &listen)),
        None => match arguments.grow {
            Some(millions) => runtime.block_on(growth::measure(millions)),
            None => runtime.block_on(rows::measure(arguments.seconds, &arguments.only)),
        },
    }
}
