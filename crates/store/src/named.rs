//! An event whose name stands beside its body, read as if both stood in one object: nothing is written together first.

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde_json::Error;
use serde_json::value::RawValue;

/// Reads as `{"name":…,"body":…}`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Named<'a> {
    pub(crate) name: &'a str,
    pub(crate) body: &'a RawValue,
}

impl<'de> Deserializer<'de> for Named<'de> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_map(Members {
            of: self,
            next: Member::Name,
        })
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

/// The two members, one after the other.
struct Members<'a> {
    of: Named<'a>,
    next: Member,
}

enum Member {
    Name,
    Body,
    None,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Error> {
        let key = match self.next {
            Member::Name => "name",
            Member::Body => "body",
            Member::None => return Ok(None),
        };
        seed.deserialize(BorrowedStrDeserializer::new(key))
            .map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        match std::mem::replace(&mut self.next, Member::None) {
            Member::Name => {
                self.next = Member::Body;
                seed.deserialize(BorrowedStrDeserializer::new(self.of.name))
            }
            Member::Body | Member::None => seed.deserialize(self.of.body),
        }
    }
}
