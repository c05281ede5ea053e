//! One life of an agent: from its start to its end, told or not.

use std::collections::BTreeSet;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use swim_agent::keys::{Keyring, Mode};
use swim_agent::{Agent, Handle, Options, Query, StreamItem};
use swim_agent::{EventStream, QueryItem, QueryStream};
use swim_transport::{Faults, Faulty, NetTransport};

use crate::ledger::Ledger;

type Error = Box<dyn std::error::Error + Send + Sync>;

/// How long answers to a query are waited for.
const ANSWERS: Duration = Duration::from_secs(5);
/// Members that pass each answer on: of those that go one way alone a fifth is lost in a burst of loss.
const RELAYS: u8 = 3;
/// What agents are asked; some of them answer.
const QUESTION: &str = "load";

/// Who is to run, and where.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    pub(crate) name: String,
    pub(crate) address: SocketAddr,
    /// Where it keeps what survives, if it does.
    pub(crate) directory: Option<PathBuf>,
    /// Whether it never ends by chance.
    pub(crate) stays: bool,
    /// Whether it answers queries.
    pub(crate) answers: bool,
}

/// What all lives have in common.
#[derive(Debug, Clone)]
pub(crate) struct Common {
    pub(crate) ring: Option<Keyring>,
    pub(crate) retention: Duration,
    pub(crate) ledger: Arc<Ledger>,
}

/// An agent that runs.
#[derive(Debug)]
pub(crate) struct Life {
    pub(crate) person: Person,
    /// The how manieth of all lives; the boot epoch too.
    pub(crate) number: u32,
    pub(crate) handle: Handle,
    pub(crate) faults: Faults,
    pub(crate) cut: bool,
}

impl Life {
    /// Begins a life that loses `loss` of its datagrams.
    pub(crate) async fn begin(
        common: &Common,
        person: Person,
        number: u32,
        seeds: Vec<String>,
        loss: f64,
    ) -> Result<Self, Error> {
        let transport = Faulty::new(NetTransport::bind(person.address)?, number.into());
        let faults = transport.faults();
        faults.set_loss(loss);
        let options = Options {
            boot_epoch: number,
            dead_retention: common.retention.as_millis() as u64,
            seed: Some(number.into()),
            ..Options::lan()
        };
        let mut builder = Agent::builder()
            .name(&person.name)
            .cluster("soak")
            .options(options)
            .metadata([("role", "soak"), ("life", &number.to_string())])
            .join(seeds)
            .transport(transport);
        if let Some(directory) = &person.directory {
            builder = builder.data_dir(directory);
        }
        if let Some(ring) = &common.ring {
            builder = builder.seal(ring.clone(), Mode::Require);
        }
        let handle = builder.spawn().await?;
        let ledger = &common.ledger;
        ledger.begins(&person.name, number, Instant::now());
        let reader = Reader { name: person.name.clone(), number, ledger: Arc::clone(ledger) };
        let queries = person.answers.then(|| handle.queries());
        tokio::spawn(reader.read(handle.events(), queries));
        Ok(Self { person, number, handle, faults, cut: false })
    }

    pub(crate) fn ip(&self) -> IpAddr {
        self.person.address.ip()
    }

    /// Cuts two off from each other, in both directions and for streams too.
    pub(crate) fn part(&self, other: &Self) {
        self.faults.block_ip(other.ip());
        other.faults.block_ip(self.ip());
    }
}

/// Reads what an agent says, and answers for its users.
struct Reader {
    name: String,
    number: u32,
    ledger: Arc<Ledger>,
}

impl Reader {
    async fn read(self, mut events: EventStream, mut queries: Option<QueryStream>) {
        loop {
            tokio::select! {
                item = events.next() => match item {
                    Some(item) => self.hear(item),
                    None => break,
                },
                item = next(&mut queries) => match item {
                    // That it comes too late is the asker's to count.
                    Some(QueryItem::Query(query)) => drop(query.respond("1").await),
                    Some(_) => {}
                    None => queries = None,
                },
            }
        }
        self.ledger.over(&self.name, self.number);
    }

    fn hear(&self, item: StreamItem) {
        self.ledger.said((&self.name, self.number), item);
    }
}

/// The next query; waits for ever where none are read.
async fn next(queries: &mut Option<QueryStream>) -> Option<QueryItem> {
    match queries {
        Some(queries) => queries.next().await,
        None => std::future::pending().await,
    }
}

/// Asks all members, whether they hear or how they are.
pub(crate) async fn ask(handle: Handle, ping: bool, ledger: Arc<Ledger>) {
    let query = if ping { Query::ping() } else { Query::new(QUESTION) };
    let at = Instant::now();
    let Ok(mut answers) = handle.query(Query { timeout: ANSWERS, relays: RELAYS, ..query }).await
    else {
        return;
    };
    while answers.next().await.is_some() {}
    let missing: BTreeSet<_> = answers.missing().collect();
    let asked = answers.expected().map(|name| (name, !missing.contains(name)));
    ledger.asked(at, handle.name(), asked);
}
