//! Tests of the whole program, from its command line to the files on disk. One file per command or promise.
#![allow(unreachable_pub, reason = "a test binary has no public API")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests use the environment and files directly"
)]

mod add;
mod add_on_terminal;
mod addresses;
mod auth_files;
mod broken_files;
mod completion;
mod concurrency;
mod conformance;
mod directories;
mod disk;
mod durability;
mod explains;
mod file_systems;
mod golden;
mod groups;
mod growth;
mod handover;
mod help;
mod helpers;
mod hints;
mod homes;
mod hostile;
mod hostile_answers;
mod http_storage;
mod imports;
mod keyservers;
mod list;
mod login;
mod machine;
mod man;
mod memory;
mod messages;
mod misspelt;
mod model;
mod odd_places;
mod other_logins;
#[path = "../peers/mod.rs"]
mod peers;
mod privileges;
mod pty;
mod pull;
mod push;
mod readable;
mod readme;
#[path = "../peers/real/mod.rs"]
mod real;
mod reference;
mod references;
mod registry;
mod rename;
mod scarce;
mod scripting;
mod search_and_delete;
mod secrets;
mod server_words;
#[path = "../support/skip.rs"]
mod skip;
mod status;
mod supply_chain;
mod switches;
mod terminal;
mod troubleshooting;
mod trust;
mod use_and_remove;
mod view;
mod words;
mod world;
