(source_file (macro_invocation (token_tree . "{" "}" .) @items))
(source_file (expression_statement (macro_invocation (token_tree . "{" "}" .) @items)))
; anywhere
(mod_item !body) @statement
(use_declaration) @statement
(extern_crate_declaration) @statement
((macro_invocation macro: (identifier) @function (token_tree . (string_literal) @target))
  (#any-of? @function "include" "include_str"))
