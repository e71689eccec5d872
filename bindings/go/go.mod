module pvctl

go 1.19
