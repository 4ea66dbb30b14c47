//! The header and the table of a SIF image: bounded, whatever the numbers in it say.

use crate::target::{Outcome, Target, some};
use apptainer_remote::sif::{SifError, read};
use std::io::Cursor;

pub const TARGET: Target = Target { seeds, large: 1 << 16, ..Target::new(check, WORDS) };

const WORDS: &[&str] = &[
    "SIF_MAGIC\0",
    "01\0",
    "02\0",
    "04\0",
    "99\0",
    "\u{4}@\0\0",
    "\u{5}@\0\0",
    "\u{1}",
    "\0",
    "\0\0\0\0\0\0\0\0",
    "\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}\u{7f}",
];

/// A header, and a table with a partition and a signature, whose objects lie behind it.
fn seeds() -> Vec<Vec<u8>> {
    let image = |descriptors: &[(i32, u32, &[u8])], arch: &[u8]| {
        let (table, data) = (128_usize, 128 + descriptors.len() * 585);
        let mut file = vec![0; data];
        file[32..42].copy_from_slice(b"SIF_MAGIC\0");
        file[42..45].copy_from_slice(b"01\0");
        file[45..48].copy_from_slice(arch);
        file[88..96].copy_from_slice(&(descriptors.len() as i64).to_le_bytes());
        file[96..104].copy_from_slice(&(table as i64).to_le_bytes());
        for (number, (kind, link, extra)) in descriptors.iter().enumerate() {
            let entry = &mut file[table + number * 585..];
            entry[..4].copy_from_slice(&kind.to_le_bytes());
            entry[4] = 1;
            entry[13..17].copy_from_slice(&link.to_le_bytes());
            entry[17..25].copy_from_slice(&(data as i64).to_le_bytes());
            entry[25..33].copy_from_slice(&8_i64.to_le_bytes());
            entry[205..205 + extra.len()].copy_from_slice(extra);
        }
        file.extend([7; 8]);
        file
    };
    let primary: &[u8] = &[&2_i32.to_le_bytes()[..], b"02\0"].concat();
    vec![
        image(&[(0x4004, 0, primary)], b"02\0"),
        image(&[(0x4004, 0, primary), (0x4005, 0xf000_0001, &[9; 20])], b"00\0"),
        image(&[(0x4005, 1, &[0; 20])], b"99\0"),
        image(&[], b"04\0"),
    ]
}

fn check(input: &[u8]) -> Outcome {
    match read(&mut Cursor::new(input)) {
        Ok(sif) => {
            assert!(input.len() >= 128 && input[32..42] == *b"SIF_MAGIC\0");
            assert!(sif.signatures.len() <= 4096.min(input.len() / 585));
            for signature in &sif.signatures {
                let hex = |text: &String| text.len() == 40 && text.bytes().all(|b| b.is_ascii_hexdigit());
                assert!(signature.fingerprint.as_ref().is_none_or(hex), "{signature:?}");
                assert!(signature.group.is_none_or(|group| group < 0x1000_0000), "{signature:?}");
            }
            let named = sif.signatures.iter().filter(|one| one.fingerprint.is_some()).count();
            Outcome::of((sif.arch, some(sif.signatures.len()), some(named)))
        }
        Err(SifError::CutShort(end)) => {
            assert!(end > input.len() as u64, "{end}");
            Outcome::refused("cut short")
        }
        Err(SifError::Io(error)) => panic!("memory does not fail: {error}"),
        Err(error) => {
            assert!(error.to_string().len() < 200);
            Outcome::refused(&error.to_string())
        }
    }
}
