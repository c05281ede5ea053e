//! The figures of a run by quarters, and whether it passes.

use swim_benches::proc::shown;

use crate::arguments::Arguments;
use crate::fleet::Counted;
use crate::ledger::Tally;
use crate::sample::{Process, Sample};

/// The end of a run.
pub(crate) struct End {
    /// Before the first agent started, and after the last one ended.
    pub(crate) before: Process,
    pub(crate) after: Process,
    /// What views differed in, if they did not become equal; seconds until they were.
    pub(crate) difference: Option<String>,
    pub(crate) equal_after: f64,
    pub(crate) lives: u32,
    pub(crate) tally: Tally,
    pub(crate) counted: Counted,
    pub(crate) panics: usize,
}

/// Bytes that may be left of each life when all have ended, and of all: tables and lists of this program
/// and of its runtime that never shrink.
const LEFT_OF_A_LIFE: f64 = 256.0;
const LEFT_OF_ALL: f64 = 512.0 * 1_024.0;

/// Of a thousand deliveries of events, and of answers to queries, so many may be missing.
const MISSED: u64 = 1;
const UNANSWERED: u64 = 50;
/// Agents that woke up late so often in a second, each of them, had too little of the processor: what they
/// then say of each other, or do not hear in time, is no mistake.
const TOO_LATE: f64 = 0.2;

/// A figure of a sample, for each agent that ran then.
type Figure = (&'static str, usize, fn(&Sample) -> f64);

const FIGURES: [Figure; 13] = [
    ("heap but for replay, KiB", 1, |it| heap(it) - replay(it)),
    ("resident but for replay, KiB", 1, |it| it.process.resident as f64 - replay(it)),
    ("tasks", 3, |it| it.process.tasks as f64),
    ("descriptors", 3, |it| it.process.files as f64),
    ("heap KiB", 1, heap),
    ("resident KiB", 1, |it| it.process.resident as f64),
    ("sessions remembered against replay", 0, |it| it.sessions as f64),
    ("KiB of those", 1, replay),
    ("threads", 3, |it| it.process.threads as f64),
    ("live members", 1, |it| it.held as f64),
    ("members gone", 1, |it| it.gone as f64),
    ("waiting", 2, |it| it.waiting as f64),
    ("disk KiB", 2, |it| it.disk as f64 / 1_024.0),
];
fn heap(sample: &Sample) -> f64 {
    sample.process.heap as f64 / 1_024.0
}

fn replay(sample: &Sample) -> f64 {
    sample.replay as f64 / 1_024.0
}

/// So many of them, the first ones, must not grow.
const BOUNDED: usize = 4;

/// Prints all; says whether the run passes.
pub(crate) fn print(arguments: &Arguments, samples: &[Sample], end: &End) -> bool {
    let growths = quarters(arguments, samples);
    totals(samples, end);
    verdicts(arguments, &growths, end)
}

/// The mean of a figure per agent in each quarter, for those figures; how much each has grown from the
/// second quarter to the last one, in percent.
fn quarters(arguments: &Arguments, samples: &[Sample]) -> Vec<(&'static str, f64)> {
    let quarter = |sample: &Sample| {
        ((sample.at.as_secs_f64() / arguments.seconds as f64 * 4.0) as usize).min(3)
    };
    println!("\n| of each agent | 1st quarter | 2nd | 3rd | 4th | 4th to 2nd |");
    println!("|---|---|---|---|---|---|");
    let mut growths = Vec::new();
    let agents: Figure = ("agents that run", 1, |it| (it.agents * it.agents) as f64);
    for (name, decimals, figure) in std::iter::once(agents).chain(FIGURES) {
        let mean = |of: usize| {
            let of: Vec<_> = samples.iter().filter(|it| quarter(it) == of).collect();
            of.iter().map(|it| figure(it) / it.agents.max(1) as f64).sum::<f64>() / of.len() as f64
        };
        let means = [0, 1, 2, 3].map(mean);
        let growth = (means[3] / means[1] - 1.0) * 100.0;
        let [one, two, three, four] = means.map(|mean| shown(Some(mean), decimals));
        println!("| {name} | {one} | {two} | {three} | {four} | {growth:+.2} % |");
        growths.push((name, growth));
    }
    growths.drain(..1);
    growths.truncate(BOUNDED);
    growths
}

fn totals(samples: &[Sample], end: &End) {
    let tally = &end.tally;
    println!("\n{} lives, {} measurements", end.lives, samples.len());
    let Tally { deaths, cut_deaths, false_deaths, suspicions, conflicts, .. } = tally;
    println!("deaths seen: {deaths}, of cut-off agents {cut_deaths}, false {false_deaths}");
    println!("suspicions of live agents: {suspicions}; conflicts: {conflicts}");
    let Tally { delivered, missed, twice, unread, asked, answered, .. } = tally;
    println!("events delivered: {delivered}, missed {missed}, twice {twice}, unread {unread}");
    println!("queries: {answered} of {asked} answered");
    let drops = |name: &str| {
        ["dropped", "withheld", "refused", "errors", "failed", "lost"]
            .iter()
            .any(|part| name.contains(part))
    };
    for (name, count) in end.counted.iter().filter(|(name, count)| drops(name) && **count > 0) {
        println!("{name}: {count}");
    }
    for name in ["datagrams_sent", "datagram_bytes_sent", "streams_opened", "late_wakeups"] {
        println!("{name}: {}", end.counted.get(name).copied().unwrap_or_default());
    }
    tally.sentences.iter().for_each(|sentence| println!("- {sentence}"));
}

/// That there was a life to speak of, and that what was said in it came through in time.
fn heard(arguments: &Arguments, end: &End) -> Vec<(bool, String)> {
    let least = arguments.least_lives();
    let lives = (end.lives >= least, format!("{} lives, at least {least}", end.lives));
    let Tally { delivered, missed, asked, answered, false_deaths, .. } = end.tally;
    let (all, unanswered) = (delivered + missed, asked - answered);
    let in_time = [
        (false_deaths == 0, format!("{false_deaths} false deaths")),
        (
            delivered > 0 && missed * 1_000 <= MISSED * all,
            format!("{missed} of {all} deliveries of events missed, at most {MISSED} in 1,000"),
        ),
        (
            answered > 0 && unanswered * 1_000 <= UNANSWERED * asked,
            format!("{unanswered} of {asked} questions unanswered, at most {UNANSWERED} in 1,000"),
        ),
    ];
    let late = end.counted.get("late_wakeups").copied().unwrap_or_default();
    let rate = late as f64 / (arguments.agents as f64 * arguments.time().as_secs_f64());
    let excused = |(holds, what): (bool, String)| match holds || rate <= TOO_LATE {
        true => (holds, what),
        false => (true, format!("{what}: not judged, agents woke up late {late} times")),
    };
    std::iter::once(lives).chain(in_time.map(excused)).collect()
}

/// Prints what holds and what does not.
fn verdicts(arguments: &Arguments, growths: &[(&'static str, f64)], end: &End) -> bool {
    println!();
    let mut all = true;
    let mut check = |holds: bool, what: String| {
        println!("{} {what}", if holds { "ok  " } else { "FAIL" });
        all &= holds;
    };
    for (name, growth) in growths {
        let most = arguments.growth;
        // What is not a number was not measured.
        check(*growth <= most, format!("{name}: grown by {growth:.2} %, at most {most} %"));
    }
    let End { before, after, tally, .. } = end;
    check(end.panics == 0, format!("{} panics", end.panics));
    check(tally.ended_alone == 0, format!("{} agents ended by themselves", tally.ended_alone));
    check(tally.twice == 0, format!("{} events heard twice", tally.twice));
    for (holds, what) in heard(arguments, end) {
        check(holds, what);
    }
    match &end.difference {
        None => check(true, format!("views equal {:.1} s after the churn", end.equal_after)),
        Some(difference) => check(false, format!("views differ: {difference}")),
    }
    let tasks = (before.tasks, after.tasks);
    check(tasks.0 == tasks.1, format!("{} tasks before, {} after", tasks.0, tasks.1));
    let files = (before.files, after.files);
    check(files.1 <= files.0, format!("{} descriptors before, {} after", files.0, files.1));
    let left = after.heap as f64 - before.heap as f64;
    let most = LEFT_OF_ALL + LEFT_OF_A_LIFE * f64::from(end.lives);
    let (left_kib, most_kib) = (left / 1_024.0, most / 1_024.0);
    check(left <= most, format!("{left_kib:.0} KiB left of all lives, at most {most_kib:.0} KiB"));
    all
}
