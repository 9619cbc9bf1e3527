module klab.invalid/runtime/pause

go 1.25.0
