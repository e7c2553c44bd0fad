go run . makefrontend --check
go run . makefrontend --dry-run
