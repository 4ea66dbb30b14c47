//! What the program behind this one would complete: asked in its own protocol, within bounds, and believed
//! only where the answer has that form.

use super::candidates::Answer;
use crate::child::{self, Bounds};
use crate::context::Context;
use std::process::Command;
use std::time::Duration;

/// A person waits for this.
const PATIENCE: Duration = Duration::from_secs(2);
/// Some thousand candidates.
const LONGEST: usize = 1 << 20;

/// The answer of the next program in PATH; `None` where there is none, or none that makes sense.
pub(super) fn ask(words: &[String], ctx: &Context) -> Option<Answer> {
    let program = ctx.next_program(ctx.program().as_ref())?;
    let mut command = Command::new(program);
    command.arg("__complete").args(words).env_clear().envs(ctx.env.iter());
    let output = child::run(command, "", Bounds { patience: PATIENCE, longest: LONGEST }).ok()?;
    output.status.success().then_some(())?;
    read(std::str::from_utf8(&output.stdout).ok()?)
}

/// Candidates, a tab and a description behind them, up to `:N`.
fn read(text: &str) -> Option<Answer> {
    let (lines, directive) = text.trim_end().rsplit_once('\n').unwrap_or(("", text.trim_end()));
    let directive = directive.strip_prefix(':')?.parse().ok()?;
    let candidate = |line: &str| {
        let (candidate, description) = line.split_once('\t').unwrap_or((line, ""));
        (candidate.to_string(), description.to_string())
    };
    let candidates = lines.lines().filter(|line| !line.is_empty()).map(candidate).collect();
    Some(Answer { candidates, directive })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_answer_is_one() {
        let answer = read("build\tBuild an image\nexec\n:4\n").unwrap();
        assert_eq!(
            answer.candidates,
            [("build".into(), "Build an image".into()), ("exec".into(), String::new())]
        );
        assert_eq!(answer.directive, 4);
        assert_eq!(read(":0\n"), Some(Answer::default()));
        for rubbish in ["", "usage: x", "a\nb\n", "a\n:x", ":-1", "a\n:4\nb"] {
            assert_eq!(read(rubbish), None, "{rubbish:?}");
        }
    }
}
