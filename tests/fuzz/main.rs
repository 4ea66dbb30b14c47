//! Fuzz targets: each parser of external text, with the rules that must hold for any input.
//!
//! As a plain test, every target replays its corpus and tries a fixed number of mutations; `tests/fuzz/run`
//! does the same for minutes, guided by coverage. To add a target, add a file in `targets/`, a line in the list
//! below, and some small seeds in `corpus/NAME/`.
#![allow(unreachable_pub, reason = "a test binary has no public API")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_macros,
    reason = "tests use files and processes directly"
)]

mod corpus;
mod coverage;
mod driver;
mod findings;
mod mutate;
mod target;
mod targets;

/// One test per target, with the target's name, which is also the directory of its corpus.
macro_rules! targets {
    ($($name:ident: $target:expr,)*) => {
        $(
            #[test]
            fn $name() {
                driver::run(stringify!($name), &$target);
            }
        )*

        #[test]
        fn every_corpus_has_its_target() {
            corpus::check(&[$(stringify!($name)),*]);
        }
    };
}

targets! {
    remote_yaml: targets::remote_yaml::TARGET,
    endpoint_uri: targets::endpoint_uri::TARGET,
    service_uri: targets::service_uri::TARGET,
    auth_file: targets::auth_file::TARGET,
    helper_output: targets::helper_output::TARGET,
    challenge: targets::challenge::TARGET,
    failure_message: targets::failure_message::TARGET,
    discovery: targets::discovery::TARGET,
    account: targets::account::TARGET,
    names: targets::names::TARGET,
    durations: targets::durations::TARGET,
    sif: targets::sif::TARGET,
    library_reference: targets::library_reference::TARGET,
    library_answers: targets::library_answers::TARGET,
    headers: targets::headers::TARGET,
    proxies: targets::proxies::TARGET,
}
