//! `#[derive(Serializable, Deserializable)]`: what makes a plain struct or enum a wire type.
//!
//! Both derives write the serde and JSON-schema implementations too, so that a wire type has two
//! derives and nothing else, and so that no other crate has to name serde to be called. They do it
//! through a private twin of the type, which serde's `remote` attribute was made for; `#[serde]`
//! attributes on fields are carried over.

use proc_macro::TokenStream;
use proc_macro2::TokenStream as Tokens;
use quote::{format_ident, quote};
use syn::{
    Attribute, Data, DeriveInput, Error, Field, Type, Visibility, parse_macro_input, parse_quote,
};

/// Makes a type writable to the wire, in every codec, and describable as a JSON schema.
#[proc_macro_derive(Serializable, attributes(serde, schemars))]
pub fn serializable(input: TokenStream) -> TokenStream {
    expand(parse_macro_input!(input as DeriveInput), serializable_impl)
}

/// Makes a type readable from the wire, in every codec.
#[proc_macro_derive(Deserializable, attributes(serde, schemars))]
pub fn deserializable(input: TokenStream) -> TokenStream {
    expand(
        parse_macro_input!(input as DeriveInput),
        deserializable_impl,
    )
}

fn expand(input: DeriveInput, write: fn(&DeriveInput) -> Tokens) -> TokenStream {
    if !input.generics.params.is_empty() {
        let message = "wire types have no generic parameters: a procedure's shape is fixed";
        return Error::new_spanned(input.generics, message)
            .to_compile_error()
            .into();
    }
    if matches!(input.data, Data::Union(_)) {
        return Error::new_spanned(input.ident, "a union cannot cross the wire")
            .to_compile_error()
            .into();
    }
    write(&input).into()
}

fn serializable_impl(input: &DeriveInput) -> Tokens {
    let name = &input.ident;
    let text = name.to_string();
    let writer = twin(
        input,
        "Writer",
        &quote!(::rpc::__private::serde::Serialize),
        &quote! {
            #[serde(crate = "::rpc::__private::serde", remote = #text)]
        },
    );
    let describer = twin(
        input,
        "Describer",
        &quote!(::rpc::__private::schemars::JsonSchema),
        &quote! {
            #[schemars(crate = "::rpc::__private::schemars", rename = #text)]
        },
    );
    quote! {
        const _: () = {
            #writer
            #[automatically_derived]
            impl ::rpc::__private::serde::Serialize for #name {
                fn serialize<S: ::rpc::__private::serde::Serializer>(
                    &self,
                    serializer: S,
                ) -> ::core::result::Result<S::Ok, S::Error> {
                    Writer::serialize(self, serializer)
                }
            }
            #describer
            #[automatically_derived]
            impl ::rpc::__private::schemars::JsonSchema for #name {
                fn schema_name() -> ::std::borrow::Cow<'static, str> {
                    ::std::borrow::Cow::Borrowed(#text)
                }
                fn schema_id() -> ::std::borrow::Cow<'static, str> {
                    let id = ::core::concat!(::core::module_path!(), "::", #text);
                    ::std::borrow::Cow::Borrowed(id)
                }
                fn json_schema(
                    generator: &mut ::rpc::__private::schemars::SchemaGenerator,
                ) -> ::rpc::__private::schemars::Schema {
                    <Describer as ::rpc::__private::schemars::JsonSchema>::json_schema(generator)
                }
            }
            #[automatically_derived]
            impl ::rpc::Serializable for #name {}
        };
    }
}

fn deserializable_impl(input: &DeriveInput) -> Tokens {
    let mut input = input.clone();
    for_each_field(&mut input.data, |field| {
        if is_bytes(&field.ty) {
            field.attrs.push(parse_quote! {
                #[serde(deserialize_with = "::rpc::__private::bytes_field")]
            });
        }
    });
    let input = &input;
    let name = &input.ident;
    let text = name.to_string();
    let reader = twin(
        input,
        "Reader",
        &quote!(::rpc::__private::serde::Deserialize),
        &quote! {
            #[serde(crate = "::rpc::__private::serde", remote = #text)]
        },
    );
    quote! {
        const _: () = {
            #reader
            #[automatically_derived]
            impl<'de> ::rpc::__private::serde::Deserialize<'de> for #name {
                fn deserialize<D: ::rpc::__private::serde::Deserializer<'de>>(
                    deserializer: D,
                ) -> ::core::result::Result<Self, D::Error> {
                    Reader::deserialize(deserializer)
                }
            }
            #[automatically_derived]
            impl ::rpc::Deserializable for #name {}
        };
    }
}

/// The same type under another name, with one derive and its attributes.
fn twin(input: &DeriveInput, name: &str, derive: &Tokens, attributes: &Tokens) -> Tokens {
    let mut twin = input.clone();
    // Only the derive of JSON schemas knows both.
    let kept: &[&str] = match name {
        "Describer" => &["serde", "schemars", "doc"],
        _ => &["serde", "doc"],
    };
    twin.ident = format_ident!("{name}");
    twin.vis = Visibility::Inherited;
    keep_attributes(&mut twin.attrs, kept);
    for_each_field(&mut twin.data, |field| {
        keep_attributes(&mut field.attrs, kept)
    });
    if let Data::Enum(data) = &mut twin.data {
        data.variants
            .iter_mut()
            .for_each(|variant| keep_attributes(&mut variant.attrs, kept));
    }
    quote! {
        #[derive(#derive)]
        #attributes
        #[automatically_derived]
        #[allow(dead_code, clippy::allow_attributes, clippy::allow_attributes_without_reason)]
        #twin
    }
}

fn for_each_field(data: &mut Data, mut each: impl FnMut(&mut Field)) {
    match data {
        Data::Struct(data) => data.fields.iter_mut().for_each(each),
        Data::Enum(data) => {
            for variant in &mut data.variants {
                variant.fields.iter_mut().for_each(&mut each);
            }
        }
        Data::Union(_) => {}
    }
}

/// Whether a field is of type `Bytes`, by its name: a slice of the frame instead of a copy.
fn is_bytes(ty: &Type) -> bool {
    let Type::Path(path) = ty else { return false };
    path.path
        .segments
        .last()
        .is_some_and(|last| last.ident == "Bytes" && last.arguments.is_none())
}

/// Other derives' attributes mean nothing to the twin; documentation becomes descriptions.
fn keep_attributes(attributes: &mut Vec<Attribute>, kept: &[&str]) {
    attributes.retain(|a| kept.iter().any(|name| a.path().is_ident(name)));
}
