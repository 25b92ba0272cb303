(source_file [
  (function_declaration name: (identifier) @declared)
  (type_declaration (type_spec name: (type_identifier) @declared))
  (type_declaration (type_alias name: (type_identifier) @declared))
  (const_declaration (const_spec name: (identifier) @declared))
  (var_declaration (var_spec name: (identifier) @declared))
  (var_declaration (var_spec_list (var_spec name: (identifier) @declared)))])
; anywhere
(package_clause (package_identifier) @package)
(import_spec) @statement
(type_identifier) @used
(call_expression function: (identifier) @used)
