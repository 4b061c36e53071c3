//! The list of providers. Each word declares the file and registers what is in it.

use crate::Provider;

macro_rules! providers {
    ($($name:ident),* $(,)?) => {
        $( pub mod $name; )*

        /// Every kind of provider, in the order in which a start without configuration offers them.
        pub static ALL: &[&dyn Provider] = &[ $( &$name::PROVIDER, )* ];
    };
}

providers! {
    openai, anthropic, gemini, azure, bedrock, vertex, mistral, groq, deepseek, xai, together, fireworks, openrouter, perplexity,
    huggingface, cloudflare, cohere, jina, voyage, ollama, vllm, llamacpp, tgi, tei, compatible, sim,
}

/// The kind of this name.
#[must_use]
pub fn find(name: &str) -> Option<&'static dyn Provider> {
    ALL.iter().copied().find(|provider| provider.name() == name)
}

/// The kind that another program's configuration calls by this name.
#[must_use]
pub fn called(name: &str) -> Option<&'static dyn Provider> {
    find(name).or_else(|| ALL.iter().copied().find(|provider| provider.also_called().contains(&name)))
}
