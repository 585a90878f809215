//! A JSON value whose words stay where they lie: for reading a shape once and letting it go.

use std::borrow::Cow;
use std::fmt;

use serde::de::{self, Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value, as far as a shape can depend on it.
#[derive(Debug, PartialEq)]
pub(crate) enum Tree<'a> {
    Null,
    Flag(bool),
    Text(Cow<'a, str>),
    List(Vec<Tree<'a>>),
    /// Members as they came; of two with one name the later counts.
    Object(Vec<(Word<'a>, Tree<'a>)>),
    /// A number.
    Other,
}

/// A text that is borrowed wherever nothing in it is escaped.
#[derive(Debug, PartialEq, serde::Deserialize)]
pub(crate) struct Word<'a>(#[serde(borrow)] pub(crate) Cow<'a, str>);

impl Tree<'_> {
    /// A member of an object.
    pub(crate) fn get(&self, name: &str) -> Option<&Self> {
        let Self::Object(members) = self else {
            return None;
        };
        let found = members.iter().rfind(|(word, _)| word.0 == name);
        found.map(|(_, value)| value)
    }

    pub(crate) fn as_str(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            Self::Null | Self::Flag(_) | Self::List(_) | Self::Object(_) | Self::Other => None,
        }
    }
}

impl<'de> Deserialize<'de> for Tree<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Any)
    }
}

struct Any;

impl<'de> Visitor<'de> for Any {
    type Value = Tree<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("any JSON value")
    }

    fn visit_unit<E: de::Error>(self) -> Result<Tree<'de>, E> {
        Ok(Tree::Null)
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Tree<'de>, E> {
        Ok(Tree::Flag(value))
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Tree<'de>, E> {
        Ok(Tree::Other)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Tree<'de>, E> {
        Ok(Tree::Other)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Tree<'de>, E> {
        Ok(Tree::Other)
    }

    fn visit_borrowed_str<E: de::Error>(self, text: &'de str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Tree<'de>, E> {
        Ok(Tree::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut entries: A) -> Result<Tree<'de>, A::Error> {
        let mut list = Vec::new();
        while let Some(entry) = entries.next_element()? {
            list.push(entry);
        }
        Ok(Tree::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Tree<'de>, A::Error> {
        let mut members = Vec::new();
        while let Some(member) = entries.next_entry()? {
            members.push(member);
        }
        Ok(Tree::Object(members))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_read_where_it_lies() {
        let tree: Tree<'_> =
            serde_json::from_str(r#"{"a":"one","b":[null,true,1,1.5,-1],"c":"\u00e9","a":"two"}"#)
                .unwrap();
        // As any reader of JSON into a map has it: of two with one name the later counts.
        assert_eq!(tree.get("a").and_then(Tree::as_str), Some("two"));
        assert_eq!(tree.get("c").and_then(Tree::as_str), Some("é"));
        assert_eq!(tree.get("d"), None);
        let list = [
            Tree::Null,
            Tree::Flag(true),
            Tree::Other,
            Tree::Other,
            Tree::Other,
        ];
        assert_eq!(tree.get("b"), Some(&Tree::List(list.into())));
        assert!(matches!(
            tree.get("a"),
            Some(Tree::Text(Cow::Borrowed("two")))
        ));
        assert!(serde_json::from_str::<Tree<'_>>(&"[".repeat(1_000)).is_err());
    }
}
