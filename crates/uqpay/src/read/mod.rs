//! Tolerant reading of single fields (contract §2, §8): absent, null, empty and odd values become `None`.
//!
//! An odd optional field is no reason to lose a whole answer; the answer's raw bytes are kept beside it.

mod amount;
mod metadata;
mod time;
mod tree;

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::Private;

pub(crate) use amount::amount;
pub(crate) use metadata::metadata;
pub(crate) use time::{time, timestamp};
pub(crate) use tree::{Tree, Word as Borrowed};

/// An open enumeration that can be read from text.
pub(crate) trait Word {
    /// Reads the word.
    fn read(text: &str) -> Self;
}

/// A string, or a number written as one; anything else is `None`. Empty text is `None` too.
pub(crate) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    seen(deserializer, str::to_owned)
}

/// What is made of text, or of a number written as one, where it lies; anything else is `None`, and so is empty text.
fn seen<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    read: impl FnOnce(&str) -> T,
) -> Result<Option<T>, D::Error> {
    deserializer.deserialize_any(Text(|text: &str| {
        (!text.trim().is_empty()).then(|| read(text))
    }))
}

/// A value that is written as text and nothing else.
pub(crate) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(
    deserializer: D,
) -> Result<T, D::Error> {
    deserializer.deserialize_str(Parsed(PhantomData))
}

/// As [`text`], masked.
pub(crate) fn private<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Private>, D::Error> {
    Ok(text(deserializer)?.map(Private::new))
}

/// As [`text`], for an open enumeration.
pub(crate) fn word<'de, D: Deserializer<'de>, W: Word>(
    deserializer: D,
) -> Result<Option<W>, D::Error> {
    seen(deserializer, W::read)
}

/// As [`text`], for a list of words; entries that are no text are dropped.
pub(crate) fn words<'de, D: Deserializer<'de>, W: Word>(
    deserializer: D,
) -> Result<Vec<W>, D::Error> {
    Ok(texts(deserializer)?
        .iter()
        .map(|text| W::read(text))
        .collect())
}

/// A list of texts, or one text alone; anything else is an empty list.
pub(crate) fn texts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_any(Texts)
}

/// An identifier; text that is none is `None`.
pub(crate) fn id<'de, D: Deserializer<'de>, I: std::str::FromStr>(
    deserializer: D,
) -> Result<Option<I>, D::Error> {
    Ok(seen(deserializer, |text| text.parse().ok())?.flatten())
}

/// A list that must be there; `null` is an empty one, as some encoders write it.
pub(crate) fn list<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(<Option<Vec<T>>>::deserialize(deserializer)?.unwrap_or_default())
}

/// An object of a known shape; anything else is `None`.
pub(crate) fn object<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Option<T>, D::Error> {
    Ok(<Option<&'de RawValue>>::deserialize(deserializer)?
        .and_then(|raw| serde_json::from_str(raw.get()).ok()))
}

/// A list of such objects; anything else is empty.
pub(crate) fn objects<'de, D: Deserializer<'de>, T: Deserialize<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    Ok(object(deserializer)?.unwrap_or_default())
}

/// A boolean, or one written as text.
pub(crate) fn flag<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<bool>, D::Error> {
    let read = |text: &str| match text.trim() {
        word if word.eq_ignore_ascii_case("true") => Some(true),
        word if word.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    };
    Ok(seen(deserializer, read)?.flatten())
}

/// A count, as number or text.
pub(crate) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    Ok(seen(deserializer, |text| text.trim().parse().ok())?.flatten())
}

struct Parsed<T>(PhantomData<T>);

impl<T: FromStr<Err: fmt::Display>> Visitor<'_> for Parsed<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a string")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<T, E> {
        text.parse().map_err(E::custom)
    }
}

/// Any JSON value; what is made of one that is text, or can be written as it.
struct Text<F>(F);

impl<'de, T, F: FnOnce(&str) -> Option<T>> Visitor<'de> for Text<F> {
    type Value = Option<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok((self.0)(value))
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Self::Value, E> {
        Ok((self.0)(if value { "true" } else { "false" }))
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
        Ok((self.0)(&value.to_string()))
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
        Ok((self.0)(&value.to_string()))
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Self::Value, E> {
        Ok((self.0)(&value.to_string()))
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(None)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_element::<IgnoredAny>()?.is_some() {}
        Ok(None)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(None)
    }
}

struct Texts;

impl<'de> Visitor<'de> for Texts {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of texts")
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Self::Value, E> {
        Ok(if value.is_empty() {
            Vec::new()
        } else {
            vec![value.to_owned()]
        })
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while let Some(entry) = entries.next_element_seed(TextSeed)? {
            texts.extend(entry);
        }
        Ok(texts)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Self::Value, A::Error> {
        while entries.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Vec::new())
    }
}

struct TextSeed;

impl<'de> de::DeserializeSeed<'de> for TextSeed {
    type Value = Option<String>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_any(Text(|text: &str| Some(text.to_owned())))
    }
}
