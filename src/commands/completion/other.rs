//! Completions of the next program in PATH, requested with its own protocol. Time and output size are limited,
//! and output in any other form is ignored.

use super::candidates::Answer;
use crate::child::{self, Bounds};
use crate::context::Context;
use std::process::Command;
use std::time::Duration;

/// The user is waiting for this.
const PATIENCE: Duration = Duration::from_secs(2);
/// Enough for several thousand candidates.
const LONGEST: usize = 1 << 20;

/// The answer of the next program in PATH. `None` if there is no such program or its answer is invalid.
pub(super) fn ask(words: &[String], ctx: &Context) -> Option<Answer> {
    let program = ctx.next_program(ctx.program().as_ref())?;
    let mut command = Command::new(program);
    command.arg("__complete").args(words).env_clear().envs(ctx.env.iter());
    let output = child::run(command, "", Bounds { patience: PATIENCE, longest: LONGEST }).ok()?;
    output.status.success().then_some(())?;
    read(std::str::from_utf8(&output.stdout).ok()?)
}

/// Parses lines of a candidate, a tab and a description, up to the final `:N`.
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
    fn malformed_answers_are_ignored() {
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
