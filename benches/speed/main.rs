//! Measures receiving, compared with a handwritten handler: one after the other, under the same load, on private
//! databases with the same durability.
//!
//! Run by `scripts/bench`; `benches/README.md` has the results.

mod baseline;
mod growth;
mod polling;
mod rows;
mod service;
mod webhooks;

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::growth::Streams;

#[derive(Parser)]
#[command(about = "Measures receiving, compared with a handwritten handler")]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    /// Seconds per closed loop
    #[arg(long, default_value = "10", value_name = "SECONDS")]
    seconds: u64,
    /// Only rows whose name contains this text
    #[arg(long, default_value = "")]
    only: String,
    /// Instead, measure speed and size while the log grows by this number of million events
    #[arg(long, value_name = "MILLIONS")]
    grow: Option<u32>,
    /// The streams of that
    #[arg(long, requires = "grow", value_enum, default_value = "new")]
    streams: Streams,
    /// The shared buffers of the server for that, such as 256MB; by default, as the service sets them
    #[arg(long, requires = "grow", value_name = "SIZE")]
    shared_buffers: Option<String>,
    /// Passed by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the handwritten handler
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
            Some(millions) => {
                runtime.block_on(growth::measure(millions, arguments.streams, arguments.shared_buffers.as_deref()))
            }
            None => runtime.block_on(rows::measure(arguments.seconds, &arguments.only)),
        },
    }
}
