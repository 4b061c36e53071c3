//! The simulator over HTTP, as its clients see it.

#[cfg(test)]
mod anthropic;
#[cfg(test)]
mod common;
#[cfg(test)]
mod gemini;
#[cfg(test)]
mod misbehaviour;
#[cfg(test)]
mod openai;
