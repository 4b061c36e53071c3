//! The simulator over HTTP, as its clients see it.

#[cfg(test)]
mod anthropic;
#[cfg(test)]
mod bedrock;
#[cfg(test)]
mod cohere;
#[cfg(test)]
mod gemini;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod misbehaviour;
#[cfg(test)]
mod openai;
