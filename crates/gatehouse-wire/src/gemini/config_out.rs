//! `generationConfig`, written.

use super::request_out::{Dropped, inside, permits};
use super::thinking;
use crate::chat::{ChatRequest, Extension, Format, RawJson};
use crate::codec::Target;
use crate::json::{Out, Raw, ToJson};
use gatehouse_core::error::Error;

/// How many stop texts Google takes.
const STOPS_MAX: usize = 5;

/// Members on the way, each with its JSON text.
struct Members(Vec<(String, String)>);

/// Writes the object, unless there is nothing to say.
pub(super) fn write(
    request: &ChatRequest,
    target: &Target<'_>,
    extensions: &[&Extension],
    dropped: &mut Dropped,
) -> Result<Option<String>, Error> {
    let mut members = Members(Vec::new());
    sampling(request, target, &mut members, dropped);
    members.put("maxOutputTokens", request.max_output_tokens);
    members.put("candidateCount", request.candidates);
    stops(request, &mut members)?;
    format(request, target, &mut members, dropped)?;
    reasoning(request, target, &mut members, dropped);
    for extension in inside(extensions, "generationConfig") {
        let name = extension.path.rsplit('.').next().unwrap_or_default();
        members.0.push((name.to_owned(), extension.value.0.clone()));
    }
    let mut out = Out::new();
    let mut result = Ok(());
    out.object(|out| {
        for (name, value) in &members.0 {
            match permits(target.quirks, &format!("generationConfig.{name}"), dropped) {
                Ok(true) => {
                    out.field(name, Raw(value));
                }
                Ok(false) => {}
                Err(error) => result = Err(error),
            }
        }
    });
    result.map(|()| Some(out.as_str().to_owned()).filter(|text| text != "{}"))
}

fn sampling(request: &ChatRequest, target: &Target<'_>, members: &mut Members, dropped: &mut Dropped) {
    if target.capabilities.sampling == Some(false) {
        for (name, there) in [
            ("temperature", request.temperature.is_some()),
            ("top_p", request.top_p.is_some()),
            ("top_k", request.top_k.is_some()),
        ] {
            if there {
                dropped.name(name);
            }
        }
    } else {
        members.put_raw("temperature", request.temperature.as_ref());
        members.put_raw("topP", request.top_p.as_ref());
        members.put("topK", request.top_k);
    }
    members.put_raw("presencePenalty", request.presence_penalty.as_ref());
    members.put_raw("frequencyPenalty", request.frequency_penalty.as_ref());
    // Google's seed has 32 bits.
    let seed = request.seed.as_ref().filter(|seed| seed.0.trim().parse::<i32>().is_ok());
    if seed.is_none() && request.seed.is_some() {
        dropped.name("seed");
    }
    members.put_raw("seed", seed);
}

fn stops(request: &ChatRequest, members: &mut Members) -> Result<(), Error> {
    if request.stop.len() > STOPS_MAX {
        return Err(Error::unsupported("stop", format!("Gemini takes at most {STOPS_MAX} stop texts")));
    }
    if !request.stop.is_empty() {
        let mut list = Out::new();
        list.array(|list| {
            request.stop.iter().for_each(|stop| {
                list.item(stop);
            });
        });
        members.put("stopSequences", Some(Raw(list.as_str())));
    }
    Ok(())
}

fn format(
    request: &ChatRequest,
    target: &Target<'_>,
    members: &mut Members,
    dropped: &mut Dropped,
) -> Result<(), Error> {
    match &request.format {
        None => {}
        Some(Format::Text) => members.put("responseMimeType", Some("text/plain")),
        Some(Format::JsonObject) => members.put("responseMimeType", Some("application/json")),
        Some(Format::JsonSchema { description, schema, .. }) => {
            if target.capabilities.structured == Some(false) || !target.quirks.json_schema {
                let message = format!("{} does not answer by a JSON Schema", target.model);
                return Err(Error::unsupported("response_format", message));
            }
            if description.is_some() {
                dropped.name("response_format description");
            }
            members.put("responseMimeType", Some("application/json"));
            members.put_raw("responseJsonSchema", Some(schema));
        }
    }
    Ok(())
}

fn reasoning(request: &ChatRequest, target: &Target<'_>, members: &mut Members, dropped: &mut Dropped) {
    let Some(reasoning) = &request.reasoning else { return };
    if target.capabilities.reasoning == Some(false) {
        dropped.name("reasoning");
        return;
    }
    let plan = thinking::plan(reasoning, target.model);
    if let Some(what) = plan.dropped {
        dropped.name(what);
    }
    let mut out = Out::new();
    out.object(|out| {
        out.field_opt("thinkingBudget", plan.budget.as_deref().map(Raw));
        out.field_opt("thinkingLevel", plan.level);
        out.field_opt("includeThoughts", plan.shown.then_some(true));
    });
    if out.as_str() != "{}" {
        members.put("thinkingConfig", Some(Raw(out.as_str())));
    }
}

// === impl Members ===

impl Members {
    fn put(&mut self, name: &str, value: Option<impl ToJson>) {
        if let Some(value) = value {
            let mut text = Out::new();
            text.item(value);
            self.0.push((name.to_owned(), text.as_str().to_owned()));
        }
    }

    fn put_raw(&mut self, name: &str, value: Option<&RawJson>) {
        self.put(name, value.map(|value| Raw(&value.0)));
    }
}
