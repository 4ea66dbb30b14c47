//! docs/scripting.md and docs/schema: every recipe is run, every document is held against its schema.

use crate::disk::has;
use crate::peers::endpoint::Behaviour;
use crate::peers::endpoint::{DISCOVERY, Endpoint, TOKEN_STATUS};
use crate::peers::library::{Library, NewImage};
use crate::peers::sif::Sif;
use crate::real::daemon::{installed, run};
use crate::real::registry::Registry;
use crate::world::{As, World, finish, words};
use std::fs;
use std::process::Command;

const GUIDE: &str = include_str!("../../docs/scripting.md");
const TOKEN: &str = "canary-t0ken";
const PASSWORD: &str = "canary pw";

/// A token that ends long after every job.
fn token() -> String {
    use base64::Engine;
    let claims = base64::engine::general_purpose::URL_SAFE_NO_PAD.encode(r#"{"exp":4102444800}"#);
    format!("{TOKEN}.{claims}.x")
}

/// The code blocks of one language.
fn blocks(language: &str) -> Vec<&'static str> {
    let begin = format!("```{language}\n");
    GUIDE.split(begin.as_str()).skip(1).map(|rest| rest.split("```").next().unwrap()).collect()
}

#[test]
fn every_recipe_works_as_it_stands() {
    if !installed(&["jq", "bash"]) {
        return;
    }
    let Some(registry) = Registry::basic(&[("ada", PASSWORD)]) else { return };
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(&token());
    world.install();
    world.give_home_to_user();
    let recipes = blocks("sh");
    assert!(recipes.len() > 8, "the blocks were found");
    for recipe in recipes {
        // Only the addresses are others here.
        let script = recipe
            .replace("https://cloud.example.com", &format!("--insecure {}", endpoint.url()))
            .replace("docker://ghcr.io", &format!("docker://{}", registry.host()))
            .replace("TOKEN_HOST=cloud.example.com", "TOKEN_HOST=127.0.0.1");
        let mut command = world.command(As::User).unwrap();
        let shell =
            [command.get_program().to_owned()].into_iter().chain(command.get_args().map(ToOwned::to_owned));
        let mut shell: Vec<_> = shell.collect();
        // The words that make this user of us stand before the program.
        let program = shell.pop().unwrap();
        assert_eq!(program, world.exe().into_os_string());
        shell.extend(["/usr/bin/bash", "-euo", "pipefail", "-c", &script].map(Into::into));
        command = Command::new(&shell[0]);
        command.args(&shell[1..]).env_clear().current_dir(world.home());
        let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
        command.envs(world.environment().iter()).env("PATH", path).env("CLOUD_TOKEN", token());
        command.env("REGISTRY_USER", "ada").env("REGISTRY_PASSWORD", PASSWORD);
        command.env("JOB_DIRECTORY", world.home().join("job"));
        finish(&mut command).exits(0).never_shows("canary");
    }
    assert!(world.home().join("job/auth.json").exists() && world.user().contains(TOKEN));
}

#[test]
fn configuration_management_checks_and_sees_changes() {
    if !has("/usr/bin/python3", &["-c", "import yaml"]) {
        return;
    }
    let tasks = blocks("yaml").concat();
    let world = World::new();
    let yaml = "import sys, yaml, json\nprint(json.dumps(yaml.safe_load(sys.argv[1])))";
    let tasks = run(Command::new("/usr/bin/python3").args(["-c", yaml, &tasks]));
    let tasks: serde_json::Value = serde_json::from_str(&tasks).unwrap();
    let (mut changes, mut checked) = (Vec::new(), 0);
    for round in 0..2 {
        for task in tasks.as_array().unwrap() {
            if let Some(validate) = task["ansible.builtin.copy"]["validate"].as_str() {
                let file = world.path("staged.yaml");
                for (text, code) in [("Remotes:\n  a: {URI: a, System: true}\n", 0), ("Remotes: [", 255)] {
                    fs::write(&file, text).unwrap();
                    let line = validate.replace("%s", &file.display().to_string());
                    world.run(As::Root, &words(line.strip_prefix("apptainer ").unwrap())).exits(code);
                    checked += 1;
                }
            }
            if let Some(line) = task["ansible.builtin.command"]["cmd"].as_str() {
                let shown = world.run(As::Root, &words(line.strip_prefix("apptainer ").unwrap())).exits(0);
                let document: serde_json::Value = serde_json::from_str(&shown.stdout).unwrap();
                changes.push((round, document["changed"].as_bool().unwrap()));
            }
        }
    }
    assert_eq!(changes, [(0, true), (0, false), (1, false), (1, false)], "add makes it the default, too");
    assert_eq!(checked, 4);
}

#[test]
fn a_prologue_fails_when_it_should() {
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(&token());
    world.remote(&format!("add --no-login -i mycloud {}", endpoint.url())).exits(0);
    let prologue = GUIDE.lines().find(|line| line.contains("--min-ttl")).unwrap();
    let prologue = || world.run(As::User, &words(prologue.strip_prefix("apptainer ").unwrap()));
    prologue().exits(255).says("not logged in to mycloud");
    world.pipe(token()).remote("login").exits(0);
    prologue().exits(0);
    endpoint.set("/builder/version", Behaviour::Json(503, "{}".into()));
    prologue().exits(255).says("services down: Builder");
    endpoint.reset("/builder/version");
    endpoint.revoke_tokens();
    prologue().exits(255).says("FATAL:   the token is not valid: ");
    endpoint.set(DISCOVERY, Behaviour::Close);
    prologue().exits(255).says("while retrieving services");
}

/// Holds documents against schemas: strictly, so that a key without a description is found.
const VALIDATOR: &str = r#"
import json, sys, jsonschema
def strict(schema):
    if isinstance(schema, dict):
        if "properties" in schema:
            schema["additionalProperties"] = False
        for value in schema.values():
            strict(value)
    elif isinstance(schema, list):
        for value in schema:
            strict(value)
    return schema
for name, document in json.load(open(sys.argv[1])):
    schema = json.load(open(f"{sys.argv[2]}/{name}.json"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.Draft202012Validator(strict(schema)).validate(document)
print("all valid")
"#;

#[test]
fn every_document_has_the_form_of_its_schema() {
    if !has("/usr/bin/python3", &["-c", "import jsonschema"]) {
        return;
    }
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/schema");
    let (world, endpoint) = (World::new(), Endpoint::http());
    endpoint.accept_token(TOKEN);
    let mut documents: Vec<(String, serde_json::Value)> = Vec::new();
    let mut take = |schema: &str, shown: crate::world::Shown| {
        documents.push((
            schema.to_string(),
            serde_json::from_str(&shown.stdout).unwrap_or_else(|_| panic!("{shown:?}")),
        ));
    };
    let user = |line: &str| world.run(As::User, &words(line));
    let root = |line: &str| world.run(As::Root, &words(line));
    let lists = ["remote-list", "registry-list", "keyserver-list"];
    let list = |take: &mut dyn FnMut(&str, crate::world::Shown)| {
        for schema in lists {
            let (group, _) = schema.split_once('-').unwrap();
            take(schema, user(&format!("{group} list --json")));
        }
    };
    list(&mut take);
    take("changed", user(&format!("remote add -i --no-login --json lab {}", endpoint.url())));
    list(&mut take);
    take("remote-status", user("remote status --json"));
    world.pipe(TOKEN);
    take("changed", user("remote login --json"));
    take("remote-status", user("remote status --json"));
    endpoint.set("/builder/version", Behaviour::Close);
    endpoint.set(TOKEN_STATUS, Behaviour::Json(500, "{}".into()));
    take("remote-status", user("remote status --json"));
    endpoint.reset(TOKEN_STATUS);
    endpoint.revoke_tokens();
    take("remote-status", user("remote status --json lab"));
    take("remote-status", user("remote status --json DefaultRemote"));
    for line in [
        "keyserver add --json https://k.example",
        "keyserver remove --json https://k.example",
        "remote add --global -j company c.example",
        "remote use --exclusive -j company",
        "remote use --global -j DefaultRemote",
        "remote remove --global -j company",
    ] {
        take("changed", root(line));
    }
    root("keyserver add hkp://127.0.0.1:1").exits(0);
    world.write_user(world.user() + "Credentials:\n  - {URI: 'docker://r.example'}\n  - {URI: 'hkp://127.0.0.1:1', Auth: Bearer x}\n");
    fs::create_dir(world.home().join(".docker")).unwrap();
    fs::write(
        world.home().join(".docker/config.json"),
        r#"{"auths":{"q.example":{"auth":"YTpi"}},"credHelpers":{"h.example":"x"}}"#,
    )
    .unwrap();
    list(&mut take);
    for line in [
        "registry logout -j docker://q.example",
        "keyserver logout -j hkp://127.0.0.1:1",
        "remote logout -j lab",
        "remote logout --all -j",
        "remote use -j lab",
        "remote remove -j lab",
    ] {
        take("changed", user(line));
    }
    let library = Library::http();
    library.accept_token(TOKEN);
    library.add(NewImage::new("lab/tools/blast:v1", Sif::new("amd64").bytes()).signed("00"));
    library.add(NewImage::new("lab/tools/blast2", Sif::new("amd64").filled(1).bytes()));
    let images = crate::pull::world(&library);
    take(
        "search",
        images.run(As::User, &["search", "--arch", "amd64", "--json", "blast"]).prints("lab/tools/blast:v1"),
    );
    let used: std::collections::BTreeSet<_> =
        documents.iter().map(|(name, _)| format!("{name}.json")).collect();
    let there =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(used, there.collect(), "every schema has a document, and every document a schema");
    let file = world.path("documents.json");
    fs::write(&file, serde_json::to_string(&documents).unwrap()).unwrap();
    let shown = finish(Command::new("/usr/bin/python3").args(["-c", VALIDATOR]).arg(&file).arg(directory));
    assert_eq!(shown.stdout, "all valid\n", "{shown:?}");
}
