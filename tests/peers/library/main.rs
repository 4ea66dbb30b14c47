//! The library of the tests as a separate program, for measurements. It serves files on a port of 127.0.0.1,
//! prints the endpoint's address, and ends when its standard input ends.
#![allow(unreachable_pub, reason = "a test binary has no public API")]
#![allow(missing_docs, dead_code, unused_imports, reason = "the peers are made for the tests")]
#![allow(clippy::disallowed_methods, clippy::disallowed_macros, reason = "it is not part of the program")]

#[path = "../mod.rs"]
mod peers;

use clap::Parser;
use peers::ca::Ca;
use peers::library::{Download, Library, NewImage};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Serves images like a library, until standard input ends.
#[derive(Parser)]
struct Options {
    /// Image to serve, as entity/collection/container:tag=FILE
    #[arg(long = "image", value_name = "REF=FILE")]
    images: Vec<String>,
    /// Directory whose files NAME.sif are served as local/dir/NAME:latest
    #[arg(long)]
    dir: Option<PathBuf>,
    /// Architecture of all images, as Go names it
    #[arg(long, default_value = "amd64")]
    arch: String,
    /// Number of additional images without bytes, local/search/result-N, for searches
    #[arg(long, default_value_t = 0)]
    search: usize,
    /// Valid token
    #[arg(long, value_name = "TOKEN")]
    token: Vec<String>,
    /// Value of apiVersion in /version
    #[arg(long, default_value = "2.0.0-alpha.2")]
    api_version: String,
    /// Size of the parts of an upload in bytes; 0 disables uploads in parts
    #[arg(long, default_value_t = 64 << 20)]
    part_size: u64,
    /// Send images from the API itself, without a redirect to the data port
    #[arg(long)]
    direct: bool,
    /// Serve over https, and write the certificate of its authority to FILE
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// Neither hash nor keep uploads
    #[arg(long)]
    trusting: bool,
}

fn main() {
    let options = Options::parse();
    let library = match &options.ca {
        None => Library::http(),
        Some(file) => {
            let ca = Ca::generate();
            ca.write(file);
            Library::https(ca.identity(), ca.identity())
        }
    };
    library.set(|settings| {
        settings.tokens.extend(options.token.iter().cloned());
        settings.api_version = Some(options.api_version.clone());
        settings.part_size = Some(options.part_size).filter(|size| *size > 0);
        settings.trusting = options.trusting;
        if options.direct {
            settings.download = Download::Direct;
        }
    });
    let add = |reference: &str, file: &Path| {
        library.add(NewImage::new(reference, file.to_path_buf()).arch(&options.arch));
    };
    for image in &options.images {
        let (reference, file) = image.split_once('=').expect("--image wants REF=FILE");
        add(reference, Path::new(file));
    }
    for entry in options.dir.iter().flat_map(|dir| std::fs::read_dir(dir).expect("--dir")) {
        let path = entry.expect("--dir").path();
        if let Some(name) = path.file_name().and_then(|name| name.to_str()?.strip_suffix(".sif")) {
            add(&format!("local/dir/{name}:latest"), &path);
        }
    }
    for number in 0..options.search {
        let reference = format!("local/search/result-{number:04}:latest,1.{number}");
        let image = NewImage::new(&reference, format!("image {number}").into_bytes());
        library.add(image.arch(&options.arch).description(&format!("The image with number {number}")));
    }
    println!("{}", library.url());
    let _ = std::io::stdin().read_to_end(&mut Vec::new());
}
