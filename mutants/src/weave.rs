//! From a parsed file to the text with all mutants in it. The text that was there stays, so that
//! mutants nest: only insertions are made.

use std::collections::HashMap;

use proc_macro2::{LineColumn, Span};
use quote::{ToTokens, quote};
use serde_json::{Value, json};
use syn::spanned::Spanned;
use syn::visit::{self, Visit};
use syn::{BinOp, Expr};

use crate::{Genre, Place, Wanted};

/// What is put in at one byte of the source. Only the text of a mutant has an id.
struct Insertion {
    at: usize,
    /// Insertions at the same byte: what encloses begins before and ends after.
    order: isize,
    pieces: Vec<(Option<u32>, String)>,
    /// Of which site this is a side.
    site: usize,
}

struct Weaver {
    wanted: Wanted,
    insertions: Vec<Insertion>,
    /// The ids at each site.
    sites: Vec<Vec<u32>>,
    /// What stands in the place of each use of a constant of this file.
    constants: HashMap<String, Vec<(u32, String)>>,
    /// Whether the arms at hand may be taken out: one without a condition takes the rest.
    open_end: bool,
}

/// The woven text with the ranges of bytes where mutants stand, and who is left over.
pub(crate) fn weave(source: &str, file: &syn::File, wanted: Wanted) -> Value {
    let (insertions, sites, constants) = (Vec::new(), Vec::new(), HashMap::new());
    let mut weaver = Weaver { wanted, insertions, sites, constants, open_end: false };
    for item in &file.items {
        if let syn::Item::Const(item) = item {
            let mutants = weaver.take(Genre::Constant, item.ident.span());
            weaver.constants.insert(item.ident.to_string(), mutants);
        }
    }
    weaver.visit_file(file);
    weaver.insertions.sort_by_key(|insertion| (insertion.at, insertion.order));
    let (mut text, mut mutants, mut copied) = (String::new(), Vec::new(), 0);
    let mut ranges = vec![(usize::MAX, 0); weaver.sites.len()];
    for insertion in &weaver.insertions {
        text.push_str(&source[copied..insertion.at]);
        copied = insertion.at;
        let range = &mut ranges[insertion.site];
        range.0 = range.0.min(text.len());
        for (id, piece) in &insertion.pieces {
            let begin = text.len();
            text.push_str(piece);
            if let Some(id) = id {
                mutants.push(json!({ "ids": [id], "begin": begin, "end": text.len() }));
            }
        }
        range.1 = text.len();
    }
    text.push_str(&source[copied..]);
    let sites: Vec<_> = (weaver.sites.iter().zip(ranges))
        .map(|(ids, (begin, end))| json!({ "ids": ids, "begin": begin, "end": end }))
        .collect();
    let left: Vec<u32> = weaver.wanted.values().flatten().map(|(id, _)| *id).collect();
    json!({ "text": text, "mutants": mutants, "sites": sites, "left": left })
}

fn place(LineColumn { line, column }: LineColumn) -> Place {
    Place { line, column: column + 1 }
}

/// Whether a condition binds names, so that nothing may stand around it.
fn binds(expr: &Expr) -> bool {
    match expr {
        Expr::Let(_) => true,
        Expr::Binary(binary) => binds(&binary.left) || binds(&binary.right),
        _ => false,
    }
}

fn is_assignment(op: &BinOp) -> bool {
    op.to_token_stream().to_string().ends_with('=')
        && !matches!(op, BinOp::Eq(_) | BinOp::Ne(_) | BinOp::Le(_) | BinOp::Ge(_))
}

impl Weaver {
    fn take(&mut self, genre: Genre, span: Span) -> Vec<(u32, String)> {
        self.wanted.remove(&(genre, place(span.start()))).unwrap_or_default()
    }

    fn site(&mut self, mutants: &[(u32, String)]) -> usize {
        self.sites.push(mutants.iter().map(|(id, _)| *id).collect());
        self.sites.len() - 1
    }

    fn insert(&mut self, at: usize, end: bool, site: usize, pieces: Vec<(Option<u32>, String)>) {
        let order = self.insertions.len().cast_signed();
        self.insertions.push(Insertion {
            at,
            order: if end { -order } else { order },
            pieces,
            site,
        });
    }

    /// Puts `mutants` beside the expression at `span`.
    fn beside(&mut self, span: Span, mutants: Vec<(u32, String)>) {
        if mutants.is_empty() {
            return;
        }
        let site = self.site(&mutants);
        let mut pieces = vec![(None, "(".to_owned())];
        for (id, text) in mutants {
            pieces.push((None, format!("if crate::mutant({id}) {{ ")));
            pieces.push((Some(id), text));
            pieces.push((None, " } else ".to_owned()));
        }
        pieces.push((None, "{ ".to_owned()));
        let range = span.byte_range();
        self.insert(range.start, false, site, pieces);
        self.insert(range.end, true, site, vec![(None, " })".to_owned())]);
    }

    fn body(&mut self, block: &syn::Block) {
        let Some(first) = block.stmts.first() else { return };
        let mutants = self.take(Genre::FnValue, first.span());
        if mutants.is_empty() {
            return;
        }
        let site = self.site(&mutants);
        let mut pieces = Vec::new();
        for (id, text) in mutants {
            pieces.push((None, format!(" if crate::mutant({id}) {{ return ")));
            pieces.push((Some(id), text));
            pieces.push((None, "; }".to_owned()));
        }
        self.insert(block.brace_token.span.open().byte_range().end, false, site, pieces);
    }
}

impl<'ast> Visit<'ast> for Weaver {
    fn visit_item_fn(&mut self, item: &'ast syn::ItemFn) {
        self.body(&item.block);
        visit::visit_item_fn(self, item);
    }

    fn visit_impl_item_fn(&mut self, item: &'ast syn::ImplItemFn) {
        self.body(&item.block);
        visit::visit_impl_item_fn(self, item);
    }

    fn visit_trait_item_fn(&mut self, item: &'ast syn::TraitItemFn) {
        if let Some(block) = &item.default {
            self.body(block);
        }
        visit::visit_trait_item_fn(self, item);
    }

    /// Tests say what the code does; they are not what is tested.
    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        if item.ident != "tests" {
            visit::visit_item_mod(self, item);
        }
    }

    fn visit_expr_path(&mut self, expr: &'ast syn::ExprPath) {
        let name = expr.path.get_ident().map(ToString::to_string);
        let mutants = name.and_then(|name| self.constants.get(&name)).cloned();
        self.beside(expr.span(), mutants.unwrap_or_default());
    }

    /// What is constant cannot ask which mutant runs.
    fn visit_item_const(&mut self, _: &'ast syn::ItemConst) {}
    fn visit_impl_item_const(&mut self, _: &'ast syn::ImplItemConst) {}
    fn visit_type_array(&mut self, _: &'ast syn::TypeArray) {}
    fn visit_pat(&mut self, _: &'ast syn::Pat) {}

    fn visit_expr_binary(&mut self, expr: &'ast syn::ExprBinary) {
        if !binds(&expr.left) && !binds(&expr.right) {
            let (left, right) = (expr.left.to_token_stream(), expr.right.to_token_stream());
            let tail = if is_assignment(&expr.op) { ";" } else { "" };
            let mutants = self.take(Genre::BinaryOperator, expr.op.span());
            let mutants =
                mutants.into_iter().map(|(id, op)| (id, format!("{left} {op} {right}{tail}")));
            self.beside(expr.span(), mutants.collect());
        }
        visit::visit_expr_binary(self, expr);
    }

    fn visit_expr_unary(&mut self, expr: &'ast syn::ExprUnary) {
        let operand = expr.expr.to_token_stream().to_string();
        let mutants = self.take(Genre::UnaryOperator, expr.op.span());
        self.beside(
            expr.span(),
            mutants.into_iter().map(|(id, _)| (id, operand.clone())).collect(),
        );
        visit::visit_expr_unary(self, expr);
    }

    /// cargo-mutants takes `_ if so` for an end too; without that arm its `match` does not compile.
    fn visit_expr_match(&mut self, expr: &'ast syn::ExprMatch) {
        let takes_all = |arm: &syn::Arm| {
            arm.guard.is_none() && matches!(arm.pat, syn::Pat::Wild(_) | syn::Pat::Ident(_))
        };
        let open_end = expr.arms.iter().any(takes_all);
        self.visit_expr(&expr.expr);
        for arm in &expr.arms {
            self.open_end = open_end;
            self.visit_arm(arm);
        }
    }

    fn visit_arm(&mut self, arm: &'ast syn::Arm) {
        let mutants =
            if self.open_end { self.take(Genre::MatchArm, arm.span()) } else { Vec::new() };
        for (id, _) in mutants {
            let site = self.site(&[(id, String::new())]);
            let text = format!(" if !crate::mutant({id})");
            self.insert(arm.pat.span().byte_range().end, true, site, vec![(Some(id), text)]);
        }
        if let Some((_, guard)) = &arm.guard {
            let mutants = self.take(Genre::MatchArmGuard, guard.span());
            self.beside(guard.span(), mutants);
        }
        visit::visit_arm(self, arm);
    }

    fn visit_expr_struct(&mut self, expr: &'ast syn::ExprStruct) {
        let mut mutants = Vec::new();
        for (index, field) in expr.fields.iter().enumerate() {
            for (id, _) in self.take(Genre::StructField, field.span()) {
                let mut without = expr.clone();
                let kept = without.fields.into_iter().enumerate();
                without.fields =
                    kept.filter(|(i, _)| *i != index).map(|(_, field)| field).collect();
                mutants.push((id, quote!(#without).to_string()));
            }
        }
        self.beside(expr.span(), mutants);
        visit::visit_expr_struct(self, expr);
    }
}
