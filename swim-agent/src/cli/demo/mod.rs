//! `swim demo`: real agents in one process, and what SWIM promises of them.

mod acts;
mod cluster;
mod keep;
mod screen;
mod stage;

use tokio::runtime;

use super::failure::Failure;
use super::output;
use acts::Kept;
use stage::Stage;

/// Watch agents find each other, lose one, take it back and let one go.
#[derive(clap::Args)]
pub(super) struct Args {
    /// How many agents, 3 to 50.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u8).range(3..=50))]
    nodes: u8,
    /// Keep the cluster running afterwards, until Ctrl-C.
    #[arg(long)]
    keep: bool,
}

/// Plays all acts; fails with the first promise that is not kept.
#[expect(clippy::needless_pass_by_value, reason = "every command takes its arguments so")]
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("cannot start: {error}")))?;
    let done = runtime.block_on(play(&args));
    runtime.shutdown_background();
    done
}

async fn play(args: &Args) -> Result<(), Failure> {
    let mut stage = Stage::new()?;
    let nodes = usize::from(args.nodes);
    stage.say(&format!(
        "swim demo: {nodes} agents, each with a UDP and a TCP socket of its own on 127.0.0.1\n"
    ))?;
    let kept = [
        acts::start(&mut stage, nodes).await?,
        acts::crash(&mut stage).await?,
        acts::restart(&mut stage).await?,
        acts::leave(&mut stage).await?,
    ];
    stage.end(&summary(&kept, stage.wrong_suspicions()))?;
    if args.keep {
        keep::until_signal(&mut stage).await?;
    }
    stage.cluster.leave().await;
    Ok(())
}

fn summary(kept: &[Kept], wrong: usize) -> String {
    let rows = kept.iter().map(|kept| {
        let took = format!("{:.2} s", kept.took.as_secs_f64());
        [kept.promise.to_owned(), took, kept.details.clone()]
    });
    let table = output::table(["PROMISE KEPT", "AFTER", ""], rows.collect());
    let wrong = match wrong {
        0 => "No agent that ran was suspected.".to_owned(),
        1 => "One agent that ran was suspected for a while.".to_owned(),
        _ => format!("Agents that ran were suspected {wrong} times."),
    };
    format!("{table}\n\n{wrong}")
}
