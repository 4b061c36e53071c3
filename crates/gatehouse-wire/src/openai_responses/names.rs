//! What functions of the canonical request are called in this dialect, and tools written by these names.
//!
//! The other half of `tools`, which says how tools become functions.

use super::tools::{function_name, joined};
use crate::chat::{ChatRequest, Extension, RawJson, Tool, ToolChoice};
use crate::free_form;
use crate::json::{Doc, Out, Raw, Strictness};
use bytes::Bytes;
use gatehouse_core::content::Dialect;

/// What the canonical request calls the tools of a namespace.
struct Namespace<'a> {
    /// Its place in the caller's list of tools.
    position: usize,
    /// Its definition.
    raw: &'a RawJson,
    /// The name of each of its tools: as a function, and its own.
    tools: Vec<(String, String)>,
    name: String,
}

/// What functions of the canonical request are to a caller of this dialect.
pub(super) struct Names<'a> {
    request: Option<&'a ChatRequest>,
    namespaces: Vec<Namespace<'a>>,
}

/// A function as this dialect names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) namespace: Option<String>,
    /// Whether it is a free-form tool.
    pub(super) free_form: bool,
}

// === impl Names ===

impl<'a> Names<'a> {
    /// What a request remembers.
    pub(super) fn of(request: Option<&'a ChatRequest>) -> Self {
        let extensions = request.into_iter().flat_map(|request| &request.extensions);
        Self { request, namespaces: extensions.filter_map(Namespace::read).collect() }
    }

    /// A function by this dialect's names.
    pub(super) fn of_function(&self, function: &str) -> Named {
        let free_form = self.request.is_some_and(|request| free_form::is_tool(request, function));
        let inside = |namespace: &Namespace<'_>| {
            let own = namespace.tools.iter().find(|(joined, _)| joined == function)?;
            Some((own.1.clone(), namespace.name.clone()))
        };
        match self.namespaces.iter().find_map(inside) {
            Some((name, namespace)) => Named { name, namespace: Some(namespace), free_form },
            None => Named { name: function.to_owned(), namespace: None, free_form },
        }
    }

    /// Writes the items of `tools`, each at the place that it had; tools that only another dialect knows go
    /// to `foreign`.
    pub(super) fn write_tools(&self, out: &mut Out, foreign: &mut Vec<Extension>) {
        let Some(request) = self.request else { return };
        let mut rest = request.tools.as_slice();
        let mut position = 0;
        loop {
            let namespace = self.namespaces.iter().find(|one| one.position == position);
            if let Some((namespace, behind)) = namespace.and_then(|one| Some((one, one.strip_from(rest)?))) {
                out.item(Raw(&namespace.raw.0));
                rest = behind;
            } else if let Some(aside) = self.own(&format!("tools[{position}]")) {
                out.item(Raw(aside));
            } else if let Some((tool, behind)) = rest.split_first() {
                write_tool(out, tool, position, &request.extensions, foreign);
                rest = behind;
            } else {
                return;
            }
            position += 1;
        }
    }

    /// What only this dialect understands, by its path.
    pub(super) fn own(&self, path: &str) -> Option<&'a str> {
        let mut all = self.request?.extensions.iter();
        let found = all.find(|one| one.origin == Dialect::OpenAiResponses && one.path == path);
        found.map(|one| one.value.0.as_str())
    }

    /// Whether there is anything to write as `tools`.
    pub(super) fn has_tools(&self) -> bool {
        self.request.is_some_and(|request| !request.tools.is_empty()) || self.own("tools[0]").is_some()
    }

    /// Writes a choice.
    pub(super) fn write_choice(&self, out: &mut Out, choice: &ToolChoice) {
        let named = |out: &mut Out, name: &str| {
            let named = self.of_function(name);
            out.field("type", if named.free_form { "custom" } else { "function" });
            out.field("name", named.name).field_opt("namespace", named.namespace);
        };
        match choice {
            ToolChoice::Auto => out.field("tool_choice", "auto"),
            ToolChoice::None => out.field("tool_choice", "none"),
            ToolChoice::Required => out.field("tool_choice", "required"),
            ToolChoice::Named(name) => out.object_field("tool_choice", |out| named(out, name)),
            ToolChoice::Allowed { names, required } => out.object_field("tool_choice", |out| {
                out.field("type", "allowed_tools");
                out.field("mode", if *required { "required" } else { "auto" });
                out.array_field("tools", |out| {
                    for name in names {
                        out.object(|out| named(out, name));
                    }
                });
            }),
        };
    }
}

fn write_tool(out: &mut Out, tool: &Tool, position: usize, all: &[Extension], foreign: &mut Vec<Extension>) {
    let (name, description, parameters, strict) = match tool {
        Tool::Hosted { definition, .. } if definition.origin == Dialect::OpenAiResponses => {
            out.item(Raw(&definition.value.0));
            return;
        }
        Tool::Hosted { definition, .. } => return foreign.push(definition.clone()),
        Tool::Function { name, description, parameters, strict, .. } => {
            (name, description, parameters, strict)
        }
    };
    let free_form = parameters.as_ref().is_some_and(free_form::is_schema);
    let prefix = format!("tools[{position}].");
    let own = all.iter().filter(|extension| extension.origin == Dialect::OpenAiResponses);
    let others =
        own.filter_map(|extension| Some((extension.path.strip_prefix(&prefix)?, &extension.value.0)));
    out.object(|out| {
        out.field("type", if free_form { "custom" } else { "function" });
        out.field("name", name).field_opt("description", description.as_ref());
        if !free_form {
            out.field("parameters", parameters.as_ref().map(|schema| Raw(&schema.0)));
            // Absent would mean true here and false everywhere else.
            out.field("strict", strict.unwrap_or(false));
        }
        for (name, value) in others.filter(|(name, _)| *name != "namespace") {
            out.field(name, Raw(value));
        }
    });
}

// === impl Namespace ===

impl<'a> Namespace<'a> {
    fn read(extension: &'a Extension) -> Option<Self> {
        if extension.origin != Dialect::OpenAiResponses {
            return None;
        }
        let position = extension.path.strip_prefix("tools[")?.strip_suffix("].namespace")?.parse().ok()?;
        let raw = Bytes::copy_from_slice(extension.value.0.as_bytes());
        let doc = Doc::parse(raw, Strictness::Provider).ok()?;
        let name = doc.root().opt("name")?.str()?.into_owned();
        let tools = doc.root().opt("tools")?.items().filter_map(|tool| {
            let own = tool.opt("name")?.str()?.into_owned();
            Some((joined(&name, &own), own))
        });
        Some(Self { position, raw: &extension.value, tools: tools.collect(), name })
    }

    /// What follows its tools, when all of them stand at the head of `tools`: else somebody changed them,
    /// and the definition is out of date.
    fn strip_from<'t>(&self, tools: &'t [Tool]) -> Option<&'t [Tool]> {
        let (own, rest) = tools.split_at_checked(self.tools.len())?;
        let same = own.iter().zip(&self.tools).all(|(tool, (joined, _))| function_name(tool) == Some(joined));
        same.then_some(rest)
    }
}
