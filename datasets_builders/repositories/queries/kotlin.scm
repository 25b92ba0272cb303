(source_file [
  (class_declaration name: (identifier) @declared)
  (object_declaration name: (identifier) @declared)
  (function_declaration name: (identifier) @declared)
  (property_declaration (variable_declaration (identifier) @declared))
  (type_alias type: (identifier) @declared)
  (annotated_expression) @annotated
  (file_annotation (constructor_invocation (user_type (identifier) @_name) (value_arguments
    (value_argument (string_literal (string_content) @declared))))
    (#any-of? @_name "JvmName"))])
; anywhere
(package_header (qualified_identifier) @package)
(import) @statement
(user_type . (identifier) @used)
(call_expression . (identifier) @used)
(navigation_expression . (identifier) @used)
