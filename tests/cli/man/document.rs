//! A document of docs/ as a manual page: headings, paragraphs, lists, tables of two columns and blocks of code.

use super::{DATE, Page, escape};
use apptainer_remote::cli;

/// The page `NAME.5` of a document whose title is the name of the file format.
pub fn page(document: &str, what: &str) -> String {
    let (title, body) = document.split_once('\n').unwrap();
    let name = title.trim_start_matches("# ");
    let mut page = Page::default();
    page.line(&format!(
        ".TH {} 5 {DATE} \"apptainer-remote {}\" \"File Formats\"",
        name.to_uppercase(),
        cli::version()
    ));
    page.section("NAME");
    page.text(&format!("{name} - {what}"));
    page.section("DESCRIPTION");
    blocks(body, &mut page);
    page.section("SEE ALSO");
    page.line(".BR apptainer\\-remote (1) ,");
    page.line(".BR apptainer\\-keyserver (1)");
    page.0
}

fn blocks(body: &str, page: &mut Page) {
    let mut lines = body.lines().peekable();
    // A paragraph that comes right after a heading needs no space before it.
    let mut after_heading = true;
    while let Some(line) = lines.next() {
        if line.trim().is_empty() {
            continue;
        }
        if let Some(heading) = line.strip_prefix("## ") {
            page.section(&escape(&heading.to_uppercase()));
            after_heading = true;
            continue;
        }
        if line.starts_with("```") {
            page.line(".PP");
            page.line(".RS 4");
            page.line(".nf");
            for code in lines.by_ref().take_while(|line| !line.starts_with("```")) {
                page.line(&guarded(&escape(code)));
            }
            page.line(".fi");
            page.line(".RE");
        } else if let Some(row) = line.strip_prefix("| ") {
            // The first row is the head, and the second one a line.
            if lines.next_if(|next| next.starts_with("|---")).is_none() {
                let (term, meaning) = row.trim_end_matches(" |").split_once(" | ").unwrap();
                page.line(".TP");
                page.line(&guarded(&inline(term)));
                text(meaning, page);
            }
        } else if let Some(item) = line.strip_prefix("- ") {
            page.line(".IP \\(bu 2");
            text(&joined(item, &mut lines), page);
        } else {
            if !after_heading {
                page.line(".PP");
            }
            text(&joined(line, &mut lines), page);
        }
        after_heading = false;
    }
}

/// A paragraph in one line.
fn joined<'a>(first: &str, lines: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>) -> String {
    let mut text = first.to_string();
    let ends = |line: &str| {
        line.trim().is_empty() || ["```", "| ", "- ", "## "].iter().any(|one| line.starts_with(one))
    };
    while let Some(line) = lines.next_if(|line| !ends(line)) {
        text = format!("{text} {}", line.trim());
    }
    text
}

fn text(text: &str, page: &mut Page) {
    page.words(&inline(text));
}

/// Text with its code in bold.
fn inline(text: &str) -> String {
    let parts = text.split('`').enumerate();
    parts
        .map(|(at, part)| if at % 2 == 1 { format!("\\fB{}\\fR", escape(part)) } else { escape(part) })
        .collect()
}

/// A line that is not taken for a request.
fn guarded(line: &str) -> String {
    if line.starts_with(['.', '\'']) { format!("\\&{line}") } else { line.to_string() }
}
