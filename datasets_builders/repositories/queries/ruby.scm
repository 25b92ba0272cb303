((call method: (identifier) @function arguments: (argument_list . (_) @target))
  (#any-of? @function "require" "require_relative" "load"))
