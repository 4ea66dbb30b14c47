//! Detects forbidden behaviour of a run and reports it. Panics are caught, slow runs are measured, and a run
//! that never ends is ended with the whole process. Each time the input is saved in a file.

use std::cell::RefCell;
use std::fs;
use std::panic::{self, AssertUnwindSafe};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, Once};
use std::time::{Duration, Instant};

/// Longer than any run may take, in any build and on any machine.
const HANGS: Duration = Duration::from_secs(60);

thread_local! {
    /// The caught panic of this thread; `None` while panics are not caught.
    static CAUGHT: RefCell<Option<String>> = const { RefCell::new(None) };
}

/// Runs `action`; a panic is returned as text with its location and message.
pub fn catch<T>(action: impl FnOnce() -> T) -> Result<T, String> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let caught = CAUGHT.with_borrow_mut(|slot| slot.as_mut().map(|text| *text = info.to_string()));
            if caught.is_none() {
                before(info);
            }
        }));
    });
    CAUGHT.set(Some(String::new()));
    let result = panic::catch_unwind(AssertUnwindSafe(action));
    let text = CAUGHT.take().unwrap_or_default();
    result.map_err(|_| text)
}

/// The time limit of a run: 2 s for 1 MiB in an optimised build, plus a margin for a busy machine.
pub fn patience(length: usize, optimised: bool) -> Duration {
    Duration::from_millis((500 + length as u64 / 524) * if optimised { 1 } else { 10 })
}

/// Saves an input in a file, and returns the command that replays it.
pub fn keep(directory: &Path, target: &str, input: &[u8]) -> String {
    let file = directory.join(format!("{target}-{}", crate::corpus::name_of(input)));
    fs::create_dir_all(directory).and_then(|()| fs::write(&file, input)).unwrap();
    format!("replay: FUZZ_INPUT={} cargo test --test fuzz -- --exact {target} --nocapture", file.display())
}

/// Measures the time of a run in another thread, and ends the process if a run never ends.
pub struct Watch(Arc<Mutex<Running>>);

#[derive(Default)]
struct Running {
    begun: Option<Instant>,
    input: Vec<u8>,
}

impl Watch {
    pub fn new(directory: PathBuf, target: &'static str) -> Self {
        let running: Arc<Mutex<Running>> = Arc::default();
        let seen = Arc::downgrade(&running);
        std::thread::spawn(move || {
            while let Some(running) = seen.upgrade() {
                let now = running.lock().unwrap();
                if now.begun.is_some_and(|begun| begun.elapsed() > HANGS) {
                    eprintln!("{target}: a run does not end; {}", keep(&directory, target, &now.input));
                    std::process::exit(101);
                }
                drop(now);
                drop(running);
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        Self(running)
    }

    pub fn begin(&self, input: &[u8]) {
        let mut running = self.0.lock().unwrap();
        running.input.clear();
        running.input.extend_from_slice(input);
        running.begun = Some(Instant::now());
    }

    pub fn end(&self) -> Duration {
        self.0.lock().unwrap().begun.take().map(|begun| begun.elapsed()).unwrap_or_default()
    }
}

/// The processor time of this thread, if the system reports it.
pub fn processor_time() -> Option<Duration> {
    let times = fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    times.split(' ').next()?.parse().ok().map(Duration::from_nanos)
}

/// The peak memory during `action` compared to before, if the system reports it.
pub fn growth(action: impl FnOnce()) -> Option<usize> {
    let kilobytes = |key: &str| {
        let status = fs::read_to_string("/proc/self/status").ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        line.trim().strip_suffix("kB")?.trim().parse::<usize>().ok()
    };
    fs::write("/proc/self/clear_refs", "5").ok()?;
    let before = kilobytes("VmRSS:")?;
    action();
    Some(kilobytes("VmHWM:")?.saturating_sub(before) << 10)
}
