//! Turns the provider's words and our timers into commands; alone knows both vocabularies
