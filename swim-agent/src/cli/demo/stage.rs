//! The stage: the agents, what they have noticed, and the audience's view of both.

use std::time::{Duration, Instant};

use swim_core::EventKind;
use tokio::sync::mpsc;
use tokio::time::{self, MissedTickBehavior};

use super::cluster::{Cluster, Sighting};
use super::screen::Screen;
use crate::cli::failure::Failure;
use crate::cli::signals::Signals;

/// How often the table is drawn anew.
const FRAME: Duration = Duration::from_millis(100);

/// How long the audience looks at the table between two acts.
const PAUSE: Duration = Duration::from_millis(1_500);

/// Everything the acts share.
pub(super) struct Stage {
    pub(super) cluster: Cluster,
    /// All that was noticed so far, oldest first.
    pub(super) seen: Vec<Sighting>,
    /// The agent that was crashed on purpose.
    pub(super) victim: usize,
    signals: Signals,
    sightings: mpsc::UnboundedReceiver<Sighting>,
    screen: Screen,
}

impl Stage {
    pub(super) fn new() -> Result<Self, Failure> {
        let (sender, sightings) = mpsc::unbounded_channel();
        let signals = Signals::new()
            .map_err(|error| Failure::Failed(format!("cannot take signals over: {error}")))?;
        Ok(Self {
            cluster: Cluster::new(sender),
            seen: Vec::new(),
            victim: 0,
            signals,
            sightings,
            screen: Screen::new(),
        })
    }

    /// Prints lines that stay.
    pub(super) fn say(&mut self, text: &str) -> Result<(), Failure> {
        self.screen.say(text)?;
        self.screen.draw(&self.cluster)
    }

    /// Gives the audience, if there is one, time to look at the table.
    pub(super) async fn pause(&mut self) -> Result<(), Failure> {
        if self.screen.is_moving() {
            let mut frame = time::interval(FRAME);
            let end = Instant::now() + PAUSE;
            while Instant::now() < end {
                self.next(&mut frame).await?;
            }
        }
        Ok(())
    }

    /// Takes the table away and prints the last lines below it.
    pub(super) fn end(&mut self, text: &str) -> Result<(), Failure> {
        self.screen.say(text)
    }

    /// Waits until nothing is lacking any more, and tells how long that took since `start`.
    ///
    /// # Errors
    /// What is lacking still after `limit`.
    pub(super) async fn until(
        &mut self,
        start: Instant,
        limit: Duration,
        lacking: impl Fn(&Cluster) -> Option<String>,
    ) -> Result<Duration, Failure> {
        let mut frame = time::interval(FRAME);
        frame.set_missed_tick_behavior(MissedTickBehavior::Delay);
        while let Some(what) = lacking(&self.cluster) {
            if start.elapsed() > limit {
                self.screen.draw(&self.cluster)?;
                return Err(Failure::Failed(format!("after {} s {what}", limit.as_secs())));
            }
            self.next(&mut frame).await?;
        }
        let took = start.elapsed();
        // What has been noticed is in the queue by now.
        while let Ok(sighting) = self.sightings.try_recv() {
            self.seen.push(sighting);
        }
        Ok(took)
    }

    /// Shows the agents until a signal comes.
    pub(super) async fn until_signal(&mut self) -> Result<(), Failure> {
        let mut frame = time::interval(FRAME);
        loop {
            if self.next(&mut frame).await.is_err() {
                return Ok(());
            }
            self.seen.clear();
        }
    }

    /// Waits for the next sighting or picture.
    async fn next(&mut self, frame: &mut time::Interval) -> Result<(), Failure> {
        tokio::select! {
            Some(sighting) = self.sightings.recv() => self.seen.push(sighting),
            _ = frame.tick() => self.screen.draw(&self.cluster)?,
            signal = self.signals.next() => {
                return Err(Failure::Failed(format!("{signal}: the demo was cut short")));
            }
        }
        Ok(())
    }

    /// How often an agent that ran was suspected by somebody first-hand.
    pub(super) fn wrong_suspicions(&self) -> usize {
        let victim = &self.cluster.nodes[self.victim].name;
        let wrong = |sighting: &&Sighting| {
            let event = &sighting.event;
            event.kind == EventKind::Suspected
                && event.name != *victim
                && event.by.as_ref() == Some(&sighting.observer)
        };
        self.seen.iter().filter(wrong).count()
    }
}
