//! Cloudflare's Workers AI, under an account; models are called `@cf/organisation/model`.
//! <https://developers.cloudflare.com/workers-ai/configuration/open-ai-compatibility/>

use crate::Environment;
use crate::compatible::{Account, Compatible};
use gatehouse_core::content::Dialect;
use gatehouse_wire::codec::Quirks;

/// Workers AI.
pub static PROVIDER: Compatible = Compatible {
    name: "cloudflare",
    // The token alone, which other tools of Cloudflare's use, too, does not say which account.
    environment: Environment { key: Some("CLOUDFLARE_API_TOKEN"), base_url: Some("CLOUDFLARE_BASE_URL"), also: &[] },
    also: &[Dialect::OpenAiEmbeddings],
    account: Some(Account {
        around: ("https://api.cloudflare.com/client/v4/accounts/", "/ai/v1"),
        variable: "CLOUDFLARE_ACCOUNT_ID",
    }),
    quirks: Quirks { drop: &["user", "metadata", "store", "service_tier", "safety_identifier"], ..Quirks::COMPATIBLE },
    model_prefixes: &["@cf/"],
    ..Compatible::BASE
};
