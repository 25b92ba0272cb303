((function_call name: (identifier) @function arguments: (arguments . (_) @target))
  (#any-of? @function "require" "dofile" "loadfile"))
