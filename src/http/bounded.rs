//! Deserializers for data from a server. They keep a bounded amount, however long the input is.

use crate::message::cut;
use serde::de::{Error, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::marker::PhantomData;

/// The longest string that is used unchanged (an ID, a URL), in bytes.
const EXACT: usize = 16 << 10;

/// The first `MOST` entries of a list, and the number of the others.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List<T, const MOST: usize> {
    /// In the server's order.
    pub kept: Vec<T>,
    /// The number of entries that were not kept.
    pub more: u64,
}

impl<T, const MOST: usize> Default for List<T, MOST> {
    fn default() -> Self {
        Self { kept: Vec::new(), more: 0 }
    }
}

impl<'de, T: Deserialize<'de>, const MOST: usize> Deserialize<'de> for List<T, MOST> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries<T, const MOST: usize>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>, const MOST: usize> Visitor<'de> for Entries<T, MOST> {
            type Value = List<T, MOST>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
                let mut list = List::default();
                while list.kept.len() < MOST {
                    match entries.next_element()? {
                        Some(entry) => list.kept.push(entry),
                        None => return Ok(list),
                    }
                }
                list.more = rest(&mut entries)?;
                Ok(list)
            }
        }
        deserializer.deserialize_seq(Entries(PhantomData))
    }
}

/// A list of names, such as the tags of an image: at most 100 names and 1,024 characters in total.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Names {
    /// In the server's order. Long names are truncated.
    pub kept: Vec<String>,
    /// The number of names that were not kept.
    pub more: u64,
}

impl<'de> Deserialize<'de> for Names {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Names;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of names")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Names, A::Error> {
                const MOST: usize = 100;
                const LONGEST: usize = 1024;
                let (mut names, mut room) = (Names::default(), LONGEST);
                while names.kept.len() < MOST {
                    let Some(Shown(name)) = entries.next_element()? else { return Ok(names) };
                    match room.checked_sub(name.chars().count()) {
                        Some(left) => room = left,
                        None => {
                            names.more = 1;
                            break;
                        }
                    }
                    names.kept.push(name);
                }
                names.more += rest(&mut entries)?;
                Ok(names)
            }
        }
        deserializer.deserialize_seq(Entries)
    }
}

/// Counts the remaining entries.
fn rest<'de, A: SeqAccess<'de>>(entries: &mut A) -> Result<u64, A::Error> {
    let mut count = 0;
    while entries.next_element::<IgnoredAny>()?.is_some() {
        count += 1;
    }
    Ok(count)
}

/// A string that is only displayed. A long one is truncated.
struct Shown(String);

impl<'de> Deserialize<'de> for Shown {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_str(Text(|text| Some(cut(text).into_owned()))).map(Self)
    }
}

/// A string that is used unchanged. A string longer than [`EXACT`] is an error.
struct Exact(String);

impl<'de> Deserialize<'de> for Exact {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let whole = |text: &str| (text.len() <= EXACT).then(|| text.to_string());
        deserializer.deserialize_str(Text(whole)).map(Self)
    }
}

/// Converts a string with its function. `None` means that the string is too long.
struct Text(fn(&str) -> Option<String>);

impl Visitor<'_> for Text {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<String, E> {
        (self.0)(text).ok_or_else(|| E::custom("the string is too long"))
    }
}

/// For `deserialize_with`: a string that is only displayed.
pub(crate) fn shown<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Shown>::deserialize(deserializer)?.map(|text| text.0))
}

/// For `deserialize_with`: an optional string that is used unchanged.
pub(crate) fn exact_option<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    Ok(Option::<Exact>::deserialize(deserializer)?.map(|text| text.0))
}

/// For `deserialize_with`: a string that is used unchanged.
pub(crate) fn exact<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Exact::deserialize(deserializer).map(|text| text.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    #[test]
    fn a_list_keeps_its_first_entries_and_counts_the_others() {
        let read = |document| from_value::<List<u8, 2>>(document).ok().map(|list| (list.kept, list.more));
        assert_eq!(read(json!([])), Some((vec![], 0)));
        assert_eq!(read(json!([1, 2])), Some((vec![1, 2], 0)));
        assert_eq!(read(json!([1, 2, "x", {}])), Some((vec![1, 2], 2)));
        assert_eq!(read(json!(["x"])), None);
        assert_eq!(read(json!({})), None);
    }

    #[test]
    fn names_are_bounded_in_number_and_length() {
        let read = |document| {
            let names: Names = from_value(document).unwrap();
            (names.kept.len(), names.more)
        };
        assert_eq!(read(json!(vec!["v1"; 100])), (100, 0));
        assert_eq!(read(json!(vec![""; 102])), (100, 2));
        // Each name is truncated to 257 characters, including the "…".
        assert_eq!(read(json!(vec!["ä".repeat(300); 9])), (3, 6));
        assert_eq!(read(json!(vec!["x".repeat(256); 4])), (4, 0));
        assert!(from_value::<Names>(json!([1])).is_err());
    }

    #[test]
    fn displayed_strings_are_truncated_and_exact_ones_are_limited() {
        let text = |length| json!("x".repeat(length));
        assert_eq!(shown(text(300)).unwrap().unwrap().chars().count(), 257);
        assert_eq!(shown(json!(null)).unwrap(), None);
        assert!(shown(json!(7)).is_err());
        assert_eq!(exact(text(EXACT)).unwrap().len(), EXACT);
        assert!(exact(text(EXACT + 1)).is_err() && exact_option(text(EXACT + 1)).is_err());
        assert_eq!(exact_option(json!(null)).unwrap(), None);
    }
}
