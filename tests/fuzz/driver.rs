//! Runs one target: first its corpus, then mutations for a number of runs or seconds.
//!
//! `FUZZ_INPUT=FILE` runs only that input. `FUZZ_SEED` sets the seed (1). `FUZZ_SECONDS` limits the time instead
//! of the number of runs. `FUZZ_WORK` is the directory of new inputs and findings. `FUZZ_KEEP` selects from all
//! inputs the few that belong in the corpus.

use crate::corpus::{self, Inputs};
use crate::coverage::Coverage;
use crate::findings::{self, Watch};
use crate::mutate::{Mutator, Random};
use crate::target::{Outcome, Target};
use std::collections::{BTreeMap, HashSet};
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// One in this many inputs is large.
const LARGE_EVERY: u64 = 400;
/// Stops after this many different findings.
const MOST_FINDINGS: usize = 8;
/// The prefix of findings that are not panics.
const TOO_MUCH: &str = "it takes too much";
/// The maximum number of found inputs in a corpus.
const MOST_KEPT: usize = 12;
/// In bytes. Larger inputs are not readable.
const LONGEST_KEPT: usize = 1024;

pub fn run(name: &'static str, target: &Target) {
    let setting = |name: &str| std::env::var(name).ok();
    if let Some(file) = setting("FUZZ_INPUT") {
        let outcome = (target.check)(&fs::read(&file).unwrap());
        return println!("{name}: {file}: {outcome:?}");
    }
    let temporary = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("fuzz");
    let work = setting("FUZZ_WORK").map_or(temporary, PathBuf::from);
    let seconds = setting("FUZZ_SECONDS").map(|text| Duration::from_secs(text.parse().unwrap()));
    let seed = setting("FUZZ_SEED").map_or(1, |text| text.parse().unwrap());
    let mut runner = Runner::new(name, target, work, seconds.is_some());
    runner.replay();
    if setting("FUZZ_KEEP").is_some() {
        return runner.keep();
    }
    println!("{name}: seed {seed}");
    let mutator = Mutator::new(Random::new(seed, name), target.words);
    runner.explore(mutator, seconds);
    runner.report();
}

struct Runner<'a> {
    name: &'static str,
    target: &'a Target,
    work: PathBuf,
    /// Whether this is a timed run, not a plain test with a fixed number of runs.
    long: bool,
    watch: Watch,
    /// The file with the input of the run, for crashes that cannot be caught.
    current: Option<File>,
    coverage: Option<Coverage>,
    seen: HashSet<u64>,
    pool: Vec<Vec<u8>>,
    /// Kind of finding, without its numbers → message.
    findings: BTreeMap<String, String>,
    begun: Instant,
    runs: u64,
    new: usize,
}

impl<'a> Runner<'a> {
    fn new(name: &'static str, target: &'a Target, work: PathBuf, long: bool) -> Self {
        Self {
            name,
            target,
            long,
            watch: Watch::new(work.clone(), name),
            current: long.then(|| File::create(work.join("current")).unwrap()),
            work,
            coverage: Coverage::open(),
            seen: HashSet::new(),
            pool: Vec::new(),
            findings: BTreeMap::new(),
            begun: Instant::now(),
            runs: 0,
            new: 0,
        }
    }

    /// The directory that collects the inputs of long runs.
    fn inputs(&self) -> PathBuf {
        self.work.join("inputs")
    }

    fn all_inputs(&self) -> Inputs {
        let mut all = corpus::load(&corpus::directory(self.name));
        let seeds = (self.target.seeds)().into_iter().enumerate();
        all.extend(seeds.map(|(at, seed)| (format!("seed {at}"), seed)));
        if self.long {
            all.extend(corpus::load(&self.inputs()));
        }
        all
    }

    fn replay(&mut self) {
        for input in self.all_inputs().into_values() {
            self.feed(&input);
            self.pool.push(input);
        }
    }

    fn explore(&mut self, mut mutator: Mutator, seconds: Option<Duration>) {
        let begun = Instant::now();
        let enough = |runs: u64| match seconds {
            Some(seconds) => runs.is_multiple_of(64) && begun.elapsed() >= seconds,
            None => runs >= u64::from(self.target.runs),
        };
        let large = if self.long { self.target.large } else { 16 << 10 };
        let mut runs = 0;
        while !enough(runs) && self.findings.len() < MOST_FINDINGS {
            runs += 1;
            let (base, other) = (self.choose(&mut mutator.random), self.choose(&mut mutator.random));
            if runs.is_multiple_of(LARGE_EVERY) {
                let input = mutator.large(&self.pool[base], large);
                self.feed_large(&input);
                continue;
            }
            let input = mutator.mutate(&self.pool[base], &self.pool[other]);
            if self.feed(&input) {
                self.collect(&input);
                self.pool.push(input);
            }
        }
    }

    /// A random input; half of the time one of the newest.
    fn choose(&self, random: &mut Random) -> usize {
        let all = self.pool.len();
        let newest = if random.below(2) == 0 { all } else { all.min(64) };
        all - 1 - random.below(newest)
    }

    /// Saves a new input for the next long run.
    fn collect(&mut self, input: &[u8]) {
        self.new += 1;
        if self.long {
            let directory = self.inputs();
            fs::create_dir_all(&directory).unwrap();
            fs::write(directory.join(corpus::name_of(input)), input).unwrap();
        }
    }

    /// Runs the target on an input; returns whether that did something new.
    fn feed(&mut self, input: &[u8]) -> bool {
        self.runs += 1;
        if let Some(current) = &self.current {
            current.set_len(input.len() as u64).and_then(|()| current.write_all_at(input, 0)).unwrap();
        }
        if let Some(coverage) = &mut self.coverage {
            coverage.begin();
        }
        match self.check(input) {
            Ok(outcome) => {
                let reached = self.coverage.as_mut().is_some_and(Coverage::is_new);
                outcome.0.into_iter().fold(reached, |new, one| self.seen.insert(one) || new)
            }
            Err(what) => {
                self.found(input, what);
                false
            }
        }
    }

    /// In a long run, this is the only run in the process, so its memory is checked too: at most 256 bytes per
    /// byte of input, and 64 MiB for the program.
    fn feed_large(&mut self, input: &[u8]) {
        if !self.long {
            self.feed(input);
            return;
        }
        let bound = (64 << 20) + 256 * input.len();
        let run = || {
            self.feed(input);
        };
        match findings::growth(run) {
            Some(growth) if growth > bound => {
                self.found(input, format!("{TOO_MUCH} memory\n{growth} bytes for {}", input.len()));
            }
            _ => {}
        }
    }

    fn check(&self, input: &[u8]) -> Result<Outcome, String> {
        let patience = findings::patience(input.len(), self.long);
        let mut took = Duration::MAX;
        // The machine may be busy: a slow run is repeated and measured by its processor time.
        for again in [false, true, true] {
            let before = if again { findings::processor_time() } else { None };
            self.watch.begin(input);
            let result = findings::catch(|| (self.target.check)(input));
            let by_clock = self.watch.end();
            let spent = before.and_then(|before| findings::processor_time()?.checked_sub(before));
            took = took.min(spent.unwrap_or(by_clock));
            if took <= patience {
                return result;
            }
        }
        Err(format!("{TOO_MUCH} time\n{took:?} for {} bytes", input.len()))
    }

    /// Reports each kind only once. The first line of `what` is the kind: the location of a panic.
    fn found(&mut self, input: &[u8], what: String) {
        let kind = what.lines().next().unwrap_or_default().to_string();
        if self.findings.contains_key(&kind) {
            return;
        }
        let input = if kind.starts_with(TOO_MUCH) { input.to_vec() } else { self.shrink(input) };
        let replay = findings::keep(&self.work.join("findings"), self.name, &input);
        let shown: String = String::from_utf8_lossy(&input).escape_debug().take(1000).collect();
        let message = format!("{}: {what}\n{shown}\n{replay}", self.name);
        println!("finding: {message}");
        self.findings.insert(kind, message);
    }

    /// A shorter input that fails too.
    fn shrink(&self, input: &[u8]) -> Vec<u8> {
        let mut best = input.to_vec();
        let begun = Instant::now();
        let mut size = best.len() / 2;
        while size > 0 && begun.elapsed() < Duration::from_secs(10) {
            let mut at = 0;
            while at < best.len() {
                let mut shorter = best.clone();
                shorter.drain(at..(at + size).min(best.len()));
                if self.check(&shorter).is_err() {
                    best = shorter;
                } else {
                    at += size;
                }
            }
            size /= 2;
        }
        best
    }

    /// Keeps the fewest and smallest inputs that together reach everything that all inputs reach.
    fn keep(&mut self) {
        let directory = corpus::directory(self.name);
        let (mut found, named): (Vec<_>, Vec<_>) =
            self.all_inputs().into_iter().partition(|(name, _)| corpus::was_found(name));
        let mut reached: HashSet<u64> = HashSet::new();
        for (_, input) in &named {
            reached.extend(self.reached(input));
        }
        found.retain(|(_, input)| input.len() <= LONGEST_KEPT);
        found.sort_by_key(|(_, input)| input.len());
        let mut found: Vec<_> =
            found.into_iter().map(|(name, input)| (self.reached(&input), name, input)).collect();
        let mut kept = Vec::new();
        while kept.len() < MOST_KEPT {
            let gain = |all: &[u64]| all.iter().filter(|one| !reached.contains(one)).count();
            let best = (0..found.len()).max_by_key(|at| (gain(&found[*at].0), usize::MAX - at));
            let Some(best) = best.filter(|at| gain(&found[*at].0) > 0) else { break };
            let (all, name, input) = found.swap_remove(best);
            reached.extend(all);
            kept.push((name, input));
        }
        for (name, _) in corpus::load(&directory) {
            if corpus::was_found(&name) {
                fs::remove_file(directory.join(name)).unwrap();
            }
        }
        println!("{}: {} inputs by hand, {} found", self.name, named.len(), kept.len());
        kept.into_iter().for_each(|(name, input)| fs::write(directory.join(name), input).unwrap());
    }

    fn reached(&mut self, input: &[u8]) -> Vec<u64> {
        if let Some(coverage) = &mut self.coverage {
            coverage.begin();
        }
        let outcome = self.check(input);
        match (&mut self.coverage, outcome) {
            // Only which counter increased matters here, not how much.
            (Some(coverage), Ok(_)) => coverage.reached().into_iter().map(|one| one >> 8).collect(),
            (None, Ok(outcome)) => outcome.0,
            (_, Err(_)) => Vec::new(),
        }
    }

    fn report(&self) {
        let seconds = self.begun.elapsed().as_secs_f64();
        let guide = if self.coverage.is_some() { "coverage" } else { "outcomes" };
        println!(
            "{}: {} runs, {:.0} a second, {} inputs ({} new, by {guide}), {} findings",
            self.name,
            self.runs,
            self.runs as f64 / seconds,
            self.pool.len(),
            self.new,
            self.findings.len()
        );
        let all: Vec<_> = self.findings.values().map(String::as_str).collect();
        assert!(all.is_empty(), "{}", all.join("\n\n"));
    }
}
