//! Lists of a tenant's files and batches, of the table: a provider's own list shows everybody's. Of a batch they say
//! what it was when it was last looked at.

use crate::call::Call;
use crate::clock;
use crate::exchange::Whole;
use crate::house::House;
use crate::shelf::{Thing, Wanted};
use bytes::Bytes;
use gatehouse_core::error::Error;
use gatehouse_identity::envelope::{Kind, Tenant};
use gatehouse_wire::json::{Out, Raw};
use http::HeaderMap;

/// How many files a list shows, unless fewer are asked for; also the most.
const FILES_MAX: u32 = 10_000;
/// How many batches a list shows, unless another number is asked for.
const BATCHES_DEFAULT: u32 = 20;
/// The most that may be asked for.
const BATCHES_MAX: u32 = 100;

/// Answers a list.
///
/// # Errors
/// `invalid_request` for what cannot be asked of it.
pub async fn answer(house: &House, call: &Call, kind: Kind) -> Result<Whole, Error> {
    let wanted = wanted(call, kind)?;
    let limit = usize::try_from(wanted.limit).unwrap_or(usize::MAX);
    // One more than is shown, to see whether there is more.
    let asked = Wanted { limit: wanted.limit.saturating_add(1), ..wanted };
    let found = house.desk.ask(move |shelf| shelf.list(&asked)).await?;
    let mut things = found.ok_or_else(|| Error::invalid("after", "after: is nothing of this list"))?;
    let has_more = things.len() > limit;
    things.truncate(limit);
    Ok(Whole::ok(HeaderMap::new(), Bytes::from(written(&things, has_more))))
}

fn written(things: &[Thing], has_more: bool) -> Vec<u8> {
    let mut out = Out::new();
    out.object(|out| {
        out.field("object", "list");
        out.array_field("data", |out| {
            things.iter().for_each(|thing| {
                if thing.body.is_empty() {
                    // What its provider said of it was too much to be kept.
                    out.object(|out| {
                        out.field("id", thing.id.as_str()).field("object", thing.kind.as_str());
                    });
                } else {
                    out.item(Raw(&thing.body));
                }
            });
        });
        out.field("first_id", things.first().map(|thing| thing.id.as_str()));
        out.field("last_id", things.last().map(|thing| thing.id.as_str()));
        out.field("has_more", has_more);
    });
    out.into_bytes()
}

/// What the query asks for.
fn wanted(call: &Call, kind: Kind) -> Result<Wanted, Error> {
    let (name, default, most) = match kind {
        Kind::Batch => ("batch", BATCHES_DEFAULT, BATCHES_MAX),
        _ => ("file", FILES_MAX, FILES_MAX),
    };
    let mut wanted = Wanted {
        kind: name.to_owned(),
        tenant: Tenant::of(&call.key.caller).as_str().to_owned(),
        limit: default,
        now: clock::unix_seconds(),
        ..Wanted::default()
    };
    let pairs = call.query.as_deref().unwrap_or_default().split('&').filter_map(|pair| pair.split_once('='));
    for (name, value) in pairs {
        match name {
            "limit" => {
                let limit = value.parse().ok().filter(|limit| (1..=most).contains(limit));
                wanted.limit = limit
                    .ok_or_else(|| Error::invalid("limit", format!("limit: must be from 1 to {most}")))?;
            }
            "after" => wanted.after = Some(value.to_owned()),
            "purpose" if kind == Kind::File => value.clone_into(&mut wanted.purpose),
            "order" if kind == Kind::File => {
                wanted.ascending = match value {
                    "asc" => true,
                    "desc" => false,
                    _ => return Err(Error::invalid("order", "order: must be \"asc\" or \"desc\"")),
                };
            }
            // Clients of Azure send their version of the API with every call.
            _ => {}
        }
    }
    Ok(wanted)
}
