//! Runs a case with the program and with the model, and compares both after every step.

use super::commands::{Model, Outcome};
use super::generate::Case;
use super::keyservers;
use super::layers::{Layer, Row, view};
use super::net::Net;
use super::notes::{agree, known};
use super::step::{Command, PEOPLE, Step};
use super::table::{Bytes, Secrets, Table, read};
use crate::world::Shown;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Shared by all cases.
pub struct Rig {
    pub net: Net,
    secrets: Secrets,
    /// The view of a user for these two files. A view depends on nothing else, and the same layers occur
    /// repeatedly.
    views: HashMap<(Bytes, Bytes), Vec<Row>>,
    /// Exit statuses by command, for statistics.
    pub codes: BTreeMap<(&'static str, i32), usize>,
    pub left_out: usize,
    pub changes: usize,
}

impl Rig {
    pub fn new() -> Self {
        Self {
            net: Net::new(),
            secrets: Secrets::new(),
            views: HashMap::new(),
            codes: BTreeMap::new(),
            left_out: 0,
            changes: 0,
        }
    }

    /// Runs a case; the first difference is the error.
    pub fn run(&mut self, case: &Case) -> Result<(), String> {
        // Discards the requests of a case that ended early.
        self.net.heard();
        let table = Table::new(case, &self.secrets);
        let mut model = case.start.clone();
        let mut before = table.files();
        compare(&before, &model, None)?;
        self.views(&table, &model, &before)?;
        for (number, step) in case.steps.iter().enumerate() {
            let was = model.clone();
            let Some(outcome) = model.step(step, &self.net) else {
                self.left_out += 1;
                model = was;
                continue;
            };
            let at = |error: String| format!("step {}: {step}\n{error}", number + 1);
            let shown = catch_unwind(AssertUnwindSafe(|| table.run(step, &self.secrets)))
                .map_err(|_| at("the program panicked".to_string()))?;
            let with =
                |error: String| at(format!("{error}\nexit {}\n{}{}", shown.code, shown.stdout, shown.stderr));
            *self.codes.entry((step.verb(), shown.code)).or_default() += 1;
            self.outcome(step, &outcome, &shown, &was, &model).map_err(with)?;
            let files = table.files();
            compare(&files, &model, Some((&before, &was))).map_err(with)?;
            if files != before {
                table.in_order().map_err(with)?;
                self.changes += 1;
                self.views(&table, &model, &files).map_err(at)?;
            }
            before = files;
        }
        // Commands that only read, or fail, must not leave files either.
        table.in_order()
    }

    /// Compares exit status, documents and requests.
    fn outcome(
        &self,
        step: &Step,
        expected: &Outcome,
        shown: &Shown,
        was: &Model,
        model: &Model,
    ) -> Result<(), String> {
        if shown.code != expected.code {
            return Err(format!("the model exits with {}", expected.code));
        }
        if step.json && shown.code == 0 {
            let document = format!("{{\"version\":1,\"changed\":{}}}\n", model != was);
            if shown.stdout != document {
                return Err(format!("the model prints {document}"));
            }
        }
        let (sent, asked) = self.net.heard();
        if sent != expected.sent {
            return Err(format!("logins sent: {sent:?}, in the model {:?}", expected.sent));
        }
        if !asked.is_subset(&expected.asks) {
            return Err(format!("requests to {asked:?}; in the model {:?}", expected.asks));
        }
        if [&shown.stdout, &shown.stderr].iter().any(|text| text.contains("tok-")) {
            return Err("a secret is shown".to_string());
        }
        let lines = known(&shown.stderr, matches!(step.command, Command::List));
        if !agree(&lines, &expected.lines) {
            return Err(format!("in the model {:#?}", expected.lines));
        }
        self.answer(step, expected, shown, model)
    }

    /// Compares the output of commands that only read.
    fn answer(&self, step: &Step, expected: &Outcome, shown: &Shown, model: &Model) -> Result<(), String> {
        let document: Value = serde_json::from_str(&shown.stdout).unwrap_or_default();
        match &step.command {
            Command::Password => {
                let secret = if expected.password { "oci-canary\n" } else { "" };
                if shown.stdout != secret {
                    return Err(format!("the model prints {secret:?}"));
                }
            }
            Command::List => {
                let rows: Option<Vec<Row>> = serde_json::from_value(document["remotes"].clone()).ok();
                let user = model.user(step.who);
                let remotes = view(&model.global(), &user);
                if rows.as_ref() != Some(&remotes) {
                    return Err(format!("the model lists {remotes:#?}"));
                }
                let logins: Vec<&str> = user.credentials.iter().map(|login| login.uri.as_str()).collect();
                if array(&document["logins"]).iter().map(|login| &login["uri"]).ne(&logins) {
                    return Err(format!("the model lists {logins:?}"));
                }
            }
            Command::Keyservers { .. } => {
                let rows: Vec<_> = array(&document["remotes"]).iter().filter_map(keyserver_row).collect();
                if rows != expected.keyservers {
                    return Err(format!("the model lists {:#?}", expected.keyservers));
                }
            }
            Command::Status { .. } => {
                let status = document["token"]["status"].as_str();
                if status != expected.status {
                    return Err(format!("the model's token status: {:?}", expected.status));
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Compares the views of all users.
    fn views(&mut self, table: &Table, model: &Model, files: &[Bytes; 4]) -> Result<(), String> {
        for who in 0..PEOPLE.len() {
            let key = (files[0].clone(), files[who + 1].clone());
            let rows = self.views.entry(key).or_insert_with(|| table.sees(who));
            let expected = view(&model.global(), &model.user(who));
            if *rows != expected {
                let text = |rows: &[Row]| rows.iter().map(|row| format!("  {row:?}\n")).collect::<String>();
                let name = PEOPLE[who];
                let error =
                    format!("[{name}] remote list --json\n{}in the model\n{}", text(rows), text(&expected));
                return Err(error);
            }
        }
        Ok(())
    }
}

/// Compares the files with the model. A layer that did not change since `before` must have the same bytes.
fn compare(files: &[Bytes; 4], model: &Model, before: Option<(&[Bytes; 4], &Model)>) -> Result<(), String> {
    for part in 0..files.len() {
        let layer = layer(model, part);
        match before {
            Some((before, was)) if self::layer(was, part) == layer => {
                if files[part] != before[part] {
                    return Err(format!("the file of {} was written again", part_name(part)));
                }
                continue;
            }
            _ => {}
        }
        let found = files[part].as_deref().map(read).transpose()?;
        if found != *layer {
            let whose = part_name(part);
            return Err(format!("the file of {whose}\n{found:#?}\nin the model\n{layer:#?}"));
        }
    }
    Ok(())
}

fn layer(model: &Model, part: usize) -> &Option<Layer> {
    if part == 0 { &model.global } else { &model.users[part - 1] }
}

fn array(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn keyserver_row(row: &Value) -> Option<keyservers::Row> {
    Some(keyservers::Row {
        name: row["name"].as_str()?.to_string(),
        global: row["global"].as_bool()?,
        default: row["default"].as_bool()?,
        known: row["problem"].is_null(),
        keyservers: serde_json::from_value(row["keyservers"].clone()).ok()?,
    })
}

fn part_name(part: usize) -> &'static str {
    if part == 0 { "everybody" } else { PEOPLE[part - 1] }
}
